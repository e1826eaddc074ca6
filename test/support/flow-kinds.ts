import type { ClientKind, Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { type LoginPurpose, LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import type { Protocol, TestApp } from "./app.ts";

/** What a call shows of its caller, and over which protocol. */
export interface Shown {
  readonly protocol?: Protocol;
  readonly bearer?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Takes the cookies that the answer sets, as they are sent back. */
  readonly onCookies?: (cookies: readonly string[]) => void;
}

/** What a flow is begun with. */
export interface Start {
  readonly client: ClientKind;
  readonly purpose?: LoginPurpose;
  readonly linkToken?: string;
}

type Answer = Promise<{
  readonly flow?: Flow | undefined;
  readonly outcome: { readonly case: string | undefined; readonly value?: unknown };
}>;

/** The calls of one kind of flow. */
export interface FlowKindCalls {
  create(app: TestApp, start: Start, shown?: Shown): Promise<Flow>;
  get(app: TestApp, flowId: string, shown?: Shown): Promise<Flow | undefined>;
  /** Submits something that the first step of a flow of this kind takes. */
  submit(app: TestApp, held: Pick<Flow, "id" | "csrfToken">, shown?: Shown): Answer;
}

const password = { case: "password", value: { password: "another harbour lantern" } } as const;
const code = { case: "sendCode", value: {} } as const;

function options({ onCookies }: Shown) {
  return {
    onHeader: (headers: Headers) =>
      onCookies?.(headers.getSetCookie().map((cookie) => cookie.split(";")[0] ?? "")),
  };
}

function present({ flow }: { readonly flow?: Flow | undefined }): Flow {
  if (flow === undefined) throw new Error("there is no flow");
  return flow;
}

/** The five kinds of flows, for tables. */
export const flowKinds = {
  login: {
    create: async (app, start, shown = {}) =>
      present(await app.client(LoginService, given(shown)).createLoginFlow(start, options(shown))),
    get: async (app, flowId, shown = {}) =>
      (await app.client(FlowService, given(shown)).getFlow({ flowId })).flow,
    submit: (app, { id, csrfToken }, shown = {}) =>
      app
        .client(LoginService, given(shown))
        .submitLoginFlow({ flowId: id, csrfToken, identifier: "nobody@example.com", step: password }),
  },
  registration: {
    create: async (app, { client, linkToken = "" }, shown = {}) =>
      present(
        await app
          .client(RegistrationService, given(shown))
          .createRegistrationFlow({ client, linkToken }, options(shown)),
      ),
    get: async (app, flowId, shown = {}) =>
      (await app.client(FlowService, given(shown)).getFlow({ flowId })).flow,
    submit: (app, { id, csrfToken }, shown = {}) =>
      app
        .client(RegistrationService, given(shown))
        .submitRegistrationFlow({ flowId: id, csrfToken, traits: {}, step: password }),
  },
  recovery: {
    create: async (app, { client, linkToken = "" }, shown = {}) =>
      present(
        await app
          .client(RecoveryService, given(shown))
          .createRecoveryFlow({ client, linkToken }, options(shown)),
      ),
    get: async (app, flowId, shown = {}) =>
      (await app.client(FlowService, given(shown)).getFlow({ flowId })).flow,
    submit: (app, { id, csrfToken }, shown = {}) =>
      app
        .client(RecoveryService, given(shown))
        .submitRecoveryFlow({ flowId: id, csrfToken, address: "nobody@example.com", step: code }),
  },
  verification: {
    create: async (app, { client, linkToken = "" }, shown = {}) =>
      present(
        await app
          .client(VerificationService, given(shown))
          .createVerificationFlow({ client, linkToken }, options(shown)),
      ),
    get: async (app, flowId, shown = {}) =>
      (await app.client(FlowService, given(shown)).getFlow({ flowId })).flow,
    submit: (app, { id, csrfToken }, shown = {}) =>
      app
        .client(VerificationService, given(shown))
        .submitVerificationFlow({ flowId: id, csrfToken, address: "nobody@example.com", step: code }),
  },
  settings: {
    create: async (app, { client }, shown = {}) =>
      present(await app.client(SettingsService, given(shown)).createSettingsFlow({ client }, options(shown))),
    get: async (app, flowId, shown = {}) =>
      (await app.client(FlowService, given(shown)).getFlow({ flowId })).flow,
    submit: (app, { id, csrfToken }, shown = {}) =>
      app
        .client(SettingsService, given(shown))
        .submitSettingsFlow({ flowId: id, csrfToken, step: { case: "password", value: { password: "x" } } }),
  },
} as const satisfies Record<string, FlowKindCalls>;

function given({ protocol = "Connect JSON", bearer, headers = {} }: Shown) {
  return { protocol, headers, ...(bearer !== undefined && { bearer }) };
}
