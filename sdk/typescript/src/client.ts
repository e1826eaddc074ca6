// SPDX-License-Identifier: Apache-2.0
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { FlowService } from "../../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService } from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../../gen/ostiary/flow/v1/verification_service_pb.js";
import { SessionService } from "../../../gen/ostiary/session/v1/session_service_pb.js";
import { checkToken, reachNames } from "./check-reach.ts";
import { refuseUnknownOptions } from "./options.ts";
import { openTransport, type Reach, type TokenSource } from "./transport.ts";

/** How to reach the public listener, and as whom. */
export type OstiaryOptions = Reach & {
  /**
   * The session token of a native client, `ost_ses_…`, or a function that finds it for each call. Leave it out in
   * a browser: its session is a cookie that scripts cannot read.
   */
  readonly token?: TokenSource | undefined;
};

/** Typed clients of the services on the public listener. */
export interface Ostiary {
  /** Flows of any kind, by their ids. */
  readonly flows: Client<typeof FlowService>;
  /** Signing in. */
  readonly login: Client<typeof LoginService>;
  /** Making an account. */
  readonly registration: Client<typeof RegistrationService>;
  /** Showing that an address is one's own. */
  readonly verification: Client<typeof VerificationService>;
  /** Getting back into an account whose secret is lost. */
  readonly recovery: Client<typeof RecoveryService>;
  /** Changing one's own account. */
  readonly settings: Client<typeof SettingsService>;
  /** The caller's sessions, and checking the session of somebody else's request. */
  readonly sessions: Client<typeof SessionService>;
}

/**
 * Makes clients of the public listener, for Node and for browsers. Nothing is sent until a method is called. Throws a
 * TypeError for an option that there is not, and for an address that cannot be one.
 */
export function createOstiary(options: OstiaryOptions): Ostiary {
  refuseUnknownOptions("createOstiary", options, { ...reachNames, token: true });
  checkToken("token", options.token);
  return publicClients(openTransport(options, { token: options.token, paths: true }));
}

/** The clients of the public listener over one transport. */
export function publicClients(transport: Transport): Ostiary {
  return {
    flows: createClient(FlowService, transport),
    login: createClient(LoginService, transport),
    registration: createClient(RegistrationService, transport),
    verification: createClient(VerificationService, transport),
    recovery: createClient(RecoveryService, transport),
    settings: createClient(SettingsService, transport),
    sessions: createClient(SessionService, transport),
  };
}
