// SPDX-License-Identifier: Apache-2.0
import { type Client, createClient } from "@connectrpc/connect";
import { ApiKeyService } from "../../../gen/ostiary/access/v1/api_key_service_pb.js";
import { ThrottleService } from "../../../gen/ostiary/access/v1/throttle_service_pb.js";
import { CourierService } from "../../../gen/ostiary/courier/v1/courier_service_pb.js";
import { IdentitySchemaService } from "../../../gen/ostiary/identity/v1/identity_schema_service_pb.js";
import { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { InvitationService } from "../../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { ProviderAdminService } from "../../../gen/ostiary/provider/v1/provider_admin_service_pb.js";
import { SessionAdminService } from "../../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { checkToken, reachNames } from "./check-reach.ts";
import { refuseUnknownOptions } from "./options.ts";
import { withRequestIds } from "./request-ids.ts";
import { createSendMessages, type SendMessages } from "./send-messages.ts";
import { openTransport, type Reach, type TokenSource } from "./transport.ts";

/** How to reach the admin listener, and with which key. */
export type OstiaryAdminOptions = Reach & {
  /**
   * The API key, `ost_key_…`, or a function that finds it for each call, for keys that are rotated. Leave it out
   * where a client certificate speaks for the caller. Never put one into a web page.
   */
  readonly apiKey?: TokenSource | undefined;
};

/** Typed clients of the services on the admin listener. */
export interface OstiaryAdmin {
  /** Identities and their credentials. */
  readonly identities: Client<typeof IdentityService>;
  /** The schemas that traits follow. */
  readonly identitySchemas: Client<typeof IdentitySchemaService>;
  /** Letting people register who are invited. */
  readonly invitations: Client<typeof InvitationService>;
  /** Other providers that people sign in with, and trying their mappings. */
  readonly providers: Client<typeof ProviderAdminService>;
  /** Everybody's sessions. */
  readonly sessions: Client<typeof SessionAdminService>;
  /** What became of mail and text messages. */
  readonly courier: Client<typeof CourierService>;
  /** API keys. */
  readonly apiKeys: Client<typeof ApiKeyService>;
  /** What throttling has counted, and setting it back. */
  readonly throttle: Client<typeof ThrottleService>;
  /**
   * Sends a link to recover each of any number of identities. One that nothing can be sent to has an `error` as its result; an
   * error that is thrown has stopped the whole list. The ids go in batches, under one request id.
   */
  readonly sendRecoveryMessages: SendMessages;
  /** Sends a link to verify an address of each of any number of identities, in the same way. */
  readonly sendVerificationMessages: SendMessages;
}

/** A page of identities, each with its traits and metadata, is larger than anything that users are answered. */
const mostAnswerBytes = 64 * 1024 * 1024;

/**
 * Makes clients of the admin listener. Nothing is sent until a method is called. A call that can have a `requestId` gets a
 * random one unless the caller names one. Throws a TypeError for an option that there is not, and for an address that cannot be one.
 */
export function createOstiaryAdmin(options: OstiaryAdminOptions): OstiaryAdmin {
  refuseUnknownOptions("createOstiaryAdmin", options, { ...reachNames, apiKey: true });
  checkToken("apiKey", options.apiKey);
  const transport = withRequestIds(
    openTransport(options, { token: options.apiKey, paths: true, mostAnswerBytes }),
  );
  const identities = createClient(IdentityService, transport);
  return {
    identities,
    identitySchemas: createClient(IdentitySchemaService, transport),
    invitations: createClient(InvitationService, transport),
    providers: createClient(ProviderAdminService, transport),
    sessions: createClient(SessionAdminService, transport),
    courier: createClient(CourierService, transport),
    apiKeys: createClient(ApiKeyService, transport),
    throttle: createClient(ThrottleService, transport),
    sendRecoveryMessages: createSendMessages(identities, "batchSendRecoveryMessages", "sendRecoveryMessages"),
    sendVerificationMessages: createSendMessages(
      identities,
      "batchSendVerificationMessages",
      "sendVerificationMessages",
    ),
  };
}
