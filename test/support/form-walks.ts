import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ClientKind, type Flow, FlowKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService, type SubmitFormResponse } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import {
  LoginPurpose,
  LoginService,
  SubmitLoginFlowRequestSchema,
} from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import {
  RecoveryService,
  SubmitRecoveryFlowRequestSchema,
} from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import {
  RegistrationService,
  SubmitRegistrationFlowRequestSchema,
} from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import {
  SettingsService,
  SubmitSettingsFlowRequestSchema,
} from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import {
  SubmitVerificationFlowRequestSchema,
  VerificationService,
} from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { RequiredActionKind, RequiredActionTiming } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { splitFieldPath } from "../../src/domain/field-path.ts";
import type { JsonObject } from "../../src/domain/json.ts";
import { toValue } from "../../src/transport/rpc/convert/value.ts";
import { freshEmail, goodPassword, sessionTokenOf } from "./accounts.ts";
import type { TestApp } from "./app.ts";
import { refusal } from "./errors.ts";
import { freshPhone } from "./factors.ts";
import { type FlowKindCalls, flowKinds, type Shown } from "./flow-kinds.ts";
import { tokenOf } from "./links.ts";
import { optionsOf } from "./passkeys.ts";
import { createPerson, type Person, personSchemas } from "./person.ts";
import { administer } from "./postgres.ts";
import { exchangeCodeOf, type SocialApp, somebody } from "./social.ts";
import { SoftwareAuthenticator } from "./software-authenticator.ts";
import { TotpDevice } from "./totp-device.ts";
import type { SignInOptions } from "./upstream/upstream.ts";

/*
 * Walks through every step of every kind of flow, with one of the ways to send a form.
 */

/** The values that a person fills in, by the names of the nodes, and the step of the button that is pressed. */
export interface Filled {
  readonly flow: Pick<Flow, "id" | "csrfToken" | "kind">;
  readonly step: string;
  readonly values: Readonly<Record<string, JsonValue>>;
}

/** The answer, which is the same message for all kinds of flows. */
export type Answer = Pick<SubmitFormResponse, "flow" | "outcome">;

/** A way to send a form. */
export type Way = (app: TestApp, filled: Filled, shown?: Shown) => Promise<Answer>;

/** Sends a form by the names of its nodes. */
export const bySubmitForm: Way = (app, { flow, step, values }, shown = {}) =>
  app.client(FlowService, using(shown)).submitForm({
    flowId: flow.id,
    csrfToken: flow.csrfToken,
    step,
    values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toValue(value)])),
  });

/** Sends a form by the typed Submit of the flow's kind. The names of the nodes are the paths of its fields. */
export const byTypedSubmit: Way = async (app, { flow, step, values }, shown = {}) => {
  const lists = listsOf(values);
  let request: JsonObject = { flowId: flow.id, csrfToken: flow.csrfToken, [step]: {} };
  for (const [name, value] of Object.entries({ ...values, ...lists })) {
    request = put(request, splitFieldPath(name), value);
  }
  const clientOptions = using(shown);
  switch (flow.kind) {
    case FlowKind.LOGIN:
      return app
        .client(LoginService, clientOptions)
        .submitLoginFlow(fromJson(SubmitLoginFlowRequestSchema, request)) as Promise<Answer>;
    case FlowKind.REGISTRATION:
      return app
        .client(RegistrationService, clientOptions)
        .submitRegistrationFlow(fromJson(SubmitRegistrationFlowRequestSchema, request)) as Promise<Answer>;
    case FlowKind.VERIFICATION:
      return app
        .client(VerificationService, clientOptions)
        .submitVerificationFlow(fromJson(SubmitVerificationFlowRequestSchema, request)) as Promise<Answer>;
    case FlowKind.RECOVERY:
      return app
        .client(RecoveryService, clientOptions)
        .submitRecoveryFlow(fromJson(SubmitRecoveryFlowRequestSchema, request)) as Promise<Answer>;
    case FlowKind.SETTINGS:
      return app
        .client(SettingsService, clientOptions)
        .submitSettingsFlow(fromJson(SubmitSettingsFlowRequestSchema, request)) as Promise<Answer>;
    default:
      throw new Error(`there is no typed submit for ${flow.kind}`);
  }
};

function using({ protocol = "Connect JSON", bearer, headers = {} }: Shown) {
  return { protocol, headers, ...(bearer !== undefined && { bearer }) };
}

/** The lists among the values: a typed submit has a list as a whole, with its items in their order. */
function listsOf(values: Filled["values"]): JsonObject {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, JsonValue[]] => Array.isArray(entry[1])),
  );
}

function put(object: JsonObject, [name = "", ...rest]: readonly string[], value: JsonValue): JsonObject {
  const inner = object[name];
  const isObject = typeof inner === "object" && inner !== null && !Array.isArray(inner);
  return { ...object, [name]: rest.length === 0 ? value : put(isObject ? inner : {}, rest, value) };
}

/** The configuration that the walks need: every method, every kind of flow, and answers that tell who has an account. */
export const walkConfig = {
  tenant_defaults: {
    // Browsers make no passkeys for the IP address that tests have otherwise.
    passkey: { rp_id: "id.example.com", origins: ["https://id.example.com"] },
    enumeration_safe: false,
    sms_factor: { enabled: true },
    link: { enabled: true },
    terms: [{ id: "terms", version: "1", title: "Terms", url: "/terms" }],
    identity: { schemas: personSchemas },
    flows: {
      ...Object.fromEntries(
        ["login", "registration", "verification", "recovery"].map((kind) => [
          kind,
          { ui_url: `https://app.example.com/${kind}` },
        ]),
      ),
      settings: { account_deletion: { enabled: true } },
    },
  },
};

/** The same, with the identifier and the profile as a stage of their own. */
export const stagedConfig = {
  tenant_defaults: {
    ...walkConfig.tenant_defaults,
    flows: {
      ...walkConfig.tenant_defaults.flows,
      login: { ui_url: "https://app.example.com/login", style: "identifier_first" },
      registration: { ui_url: "https://app.example.com/registration", style: "profile_first" },
    },
  },
};

/** The same, with recoveries that wait. */
export const heldConfig = {
  tenant_defaults: {
    ...stagedConfig.tenant_defaults,
    ...{ code: { login: false }, link: { enabled: true, login: false } },
    flows: {
      ...stagedConfig.tenant_defaults.flows,
      recovery: { ui_url: "https://app.example.com/recovery", hold: "72h" },
    },
  },
};

/** A step of a walk with its result, without anything that differs from walk to walk. */
export interface Seen {
  readonly kind: FlowKind;
  readonly step: string;
  /** The outcome, the reason of a rejection, or the reason of an error. */
  readonly result: string;
  readonly stage: string | undefined;
  readonly nodes: readonly string[];
  readonly messages: readonly number[];
}

/** Walks through flows with one way to send forms, and records the results. */
export class Walker {
  readonly seen: Seen[] = [];
  readonly #app: TestApp;
  readonly #way: Way;
  readonly #onForm: (flow: Flow, shown: Shown) => Promise<void>;
  readonly #onAnswer: (answer: Answer) => void;

  /** `onForm` gets each form before it is used. */
  constructor(
    app: TestApp,
    way: Way,
    {
      onForm = async () => {},
      onAnswer = () => {},
    }: {
      readonly onForm?: (flow: Flow, shown: Shown) => Promise<void>;
      readonly onAnswer?: (answer: Answer) => void;
    } = {},
  ) {
    this.#app = app;
    this.#way = way;
    this.#onForm = onForm;
    this.#onAnswer = onAnswer;
  }

  /** Begins a native flow. */
  async begin(
    name: keyof typeof flowKinds,
    shown: Shown = {},
    start: Partial<Parameters<FlowKindCalls["create"]>[1]> = {},
  ) {
    // Messages that are sent at the same moment have no order.
    this.#app.clock.advance(1);
    const flow = await flowKinds[name].create(this.#app, { client: ClientKind.NATIVE, ...start }, shown);
    await this.#onForm(flow, shown);
    return new Walk(flow, (filled) => this.#send(filled, shown));
  }

  /** Goes on with a flow that another flow led to. */
  async goOn(flow: Flow | undefined, shown: Shown = {}): Promise<Walk> {
    if (flow === undefined) throw new Error("there is no flow to go on with");
    await this.#onForm(flow, shown);
    return new Walk(flow, (filled) => this.#send(filled, shown));
  }

  /** The newest code that was sent to an address. */
  async codeFor(address: string): Promise<string> {
    return (await this.#app.messages(address)).filter(({ code }) => code !== "").at(-1)?.code ?? "";
  }

  /** The token of the newest link. */
  async linkFor(address: string): Promise<string> {
    return tokenOf((await this.#app.messages(address)).filter(({ url }) => url !== "").at(-1)?.url ?? "");
  }

  async #send(filled: Filled, shown: Shown): Promise<Answer> {
    this.#app.clock.advance(1);
    const { kind } = filled.flow;
    const { step } = filled;
    try {
      const answer = await this.#way(this.#app, filled, shown);
      this.#onAnswer(answer);
      const { outcome, flow } = answer;
      const result =
        outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : (outcome.case ?? "unknown");
      const nodes = flow?.form?.nodes ?? [];
      const messages = [...nodes.flatMap((node) => node.messages), ...(flow?.form?.messages ?? [])];
      this.seen.push({
        kind,
        step,
        result,
        stage: flow?.stage.case,
        nodes: nodes.map(({ name }) => name),
        messages: messages.map(({ id }) => id),
      });
      if (flow !== undefined) await this.#onForm(flow, shown);
      return answer;
    } catch (error) {
      const { reason = "" } = await refusal(Promise.reject(error));
      if (reason === "") throw error;
      this.seen.push({ kind, step, result: reason, stage: undefined, nodes: [], messages: [] });
      throw error;
    }
  }
}

/** A flow on a walk. */
export class Walk {
  flow: Flow;
  readonly #send: (filled: Filled) => Promise<Answer>;

  constructor(flow: Flow, send: (filled: Filled) => Promise<Answer>) {
    this.flow = flow;
    this.#send = send;
  }

  /** Fills in the form and presses a button. The walk goes on with the flow of the answer. */
  async press(step: string, values: Filled["values"] = {}): Promise<Answer> {
    const answer = await this.#send({ flow: this.flow, step, values });
    if (answer.flow !== undefined && answer.outcome.case !== "loginRequired") this.flow = answer.flow;
    return answer;
  }

  /** Presses a button whose submit is refused. */
  async refused(step: string, values: Filled["values"] = {}): Promise<void> {
    await refusal(this.#send({ flow: this.flow, step, values }));
  }
}

const password = (value: string) => ({ "password.password": value });
const another = "another harbour lantern";

/** Signs in by password, code and link, with mistakes on the way. */
export async function walkLogin(app: TestApp, walker: Walker): Promise<void> {
  const person = await createPerson(app);
  const identifier = person.email;
  const login = await walker.begin("login");
  await login.press("password", password("x"));
  await login.press("password", { identifier, ...password("") });
  await login.press("password", { identifier, ...password("wrong") });
  await login.press("sendCode", { identifier: "nobody@example.com" });
  await login.refused("back");
  await login.press("sendCode", { identifier });
  await login.press("resend");
  await login.press("code");
  await login.press("code", { "code.code": "123" });
  await login.press("code", { "code.code": "000000" });
  app.clock.advance(60_000);
  await login.press("resend");
  await login.press("back");
  app.clock.advance(60_000);
  await login.press("sendCode", { identifier });
  await login.press("code", { "code.code": await walker.codeFor(identifier) });
  await login.refused("password", { identifier, ...password(goodPassword) });

  const byPassword = await walker.begin("login");
  await byPassword.press("password", { identifier, ...password(goodPassword) });

  const asks = await walker.begin("login");
  await asks.press("sendLink", { identifier });
  const opened = await walker.begin("login", {}, { linkToken: await walker.linkFor(identifier) });
  await opened.press("confirmLink");

  const bearer = await sessionTokenOf(app, identifier);
  const refresh = await walker.begin("login", { bearer }, { purpose: LoginPurpose.REFRESH });
  await refresh.press("password", password("wrong"));
  await refresh.press("password", password(goodPassword));
}

/** Sets up second factors, signs in with them, and changes and removes what was set up. */
export async function walkSecondFactors(app: TestApp, walker: Walker): Promise<void> {
  const person = await createPerson(app);
  const identifier = person.email;
  const bearer = await sessionTokenOf(app, identifier);
  const settings = await walker.begin("settings", { bearer });
  await settings.press("totp");
  const key = textOf(settings.flow, "totp.key");
  const device = TotpDevice.from(key, () => app.clock.now());
  await settings.press("totp", { "totp.code": "abc" });
  await settings.press("totp", { "totp.code": device.code(9) });
  const { outcome } = await settings.press("totp", { "totp.code": device.code() });
  const { signedIn } = outcome.case === "saved" ? outcome.value : {};
  const strong = await walker.goOn(settings.flow, { bearer: signedIn?.sessionToken ?? "" });
  await strong.press("backupCodes");
  const [code = ""] = textOf(strong.flow, "backupCodes.codes").split("\n");
  await strong.press("backupCodes", { "backupCodes.confirmed": true });

  app.clock.advance(30_000);
  const login = await walker.begin("login");
  await login.press("password", { identifier, ...password(goodPassword) });
  await login.refused("sendCode", { identifier });
  await login.press("totp", { "totp.code": "" });
  await login.press("totp", { "totp.code": device.code(9) });
  await login.press("totp", { "totp.code": device.code() });
  const byBackup = await walker.begin("login");
  await byBackup.press("password", { identifier, ...password(goodPassword) });
  await byBackup.press("backupCode", { "backupCode.code": "wrong" });
  await byBackup.press("backupCode", { "backupCode.code": code });

  const { stage } = strong.flow;
  const totp = stage.case === "changeSettings" ? stage.value.credentials[1] : undefined;
  const manage = { "manageCredential.credentialId": totp?.id ?? "" };
  await strong.press("manageCredential", manage);
  await strong.press("back");
  await strong.press("manageCredential", manage);
  await strong.press("renameCredential", {
    "renameCredential.credentialId": totp?.id ?? "",
    "renameCredential.label": "Phone",
  });
  await strong.press("manageCredential", manage);
  await strong.press("removeCredential", {
    "removeCredential.credentialId": totp?.id ?? "",
    "removeCredential.endOtherSessions": true,
  });
}

/** Does what the account is asked to do, in a login and in the settings. */
export async function walkRequiredActions(app: TestApp, walker: Walker): Promise<void> {
  const person = await createPerson(app);
  const ask = async (timing: RequiredActionTiming, kinds: readonly RequiredActionKind[]) => {
    const terms = { action: { case: "acceptTerms" as const, value: { document: "terms" } }, timing };
    const others = kinds.map((value) => ({ action: { case: "kind" as const, value }, timing }));
    const { identity } = await app
      .client(IdentityService)
      .setRequiredActions({ identityId: person.id, requiredActions: [terms, ...others] });
    return { "acceptTerms.actionId": identity?.requiredActions[0]?.id ?? "" };
  };
  const accept = await ask(RequiredActionTiming.BEFORE_SESSION, [
    RequiredActionKind.COMPLETE_TRAITS,
    RequiredActionKind.SET_PASSWORD,
  ]);
  // As after a change of the schema, and after a server that stopped between an action and what comes next.
  const change = (text: string) => administer(app.databaseUrl, (query) => query(text, [person.id]));
  await change(`UPDATE ostiary.identity SET traits = traits || '{"name": 7}' WHERE id = $1`);
  const login = await walker.begin("login");
  await login.press("password", { identifier: person.email, ...password(goodPassword) });
  await change("UPDATE ostiary.flow SET data = data #- '{state,action}' WHERE identity_id = $1");
  await login.refused("acceptTerms", accept);
  await login.press("resume");
  await login.press("acceptTerms", accept);
  await login.press("profile", { "traits.name": person.name });
  await login.press("password", password("short"));
  await login.press("password", password(another));

  const bearer = await sessionTokenOf(app, person.email, another);
  const other = await ask(RequiredActionTiming.WHEN_CONVENIENT, []);
  const settings = await walker.begin("settings", { bearer });
  await settings.press("acceptTerms", other);
}

/** Sets up codes by text message, and signs in with one. */
export async function walkSms(app: TestApp, walker: Walker): Promise<void> {
  const person = await createPerson(app);
  const identifier = person.email;
  const number = freshPhone();
  const bearer = await sessionTokenOf(app, identifier);
  const settings = await walker.begin("settings", { bearer });
  await settings.press("sms", { "sms.phoneNumber": "0171" });
  await settings.press("sms", { "sms.phoneNumber": number });
  await settings.press("sms", { "sms.code": "abc" });
  await settings.press("sms", { "sms.resend": true });
  await settings.press("sms", {
    "sms.code": await walker.codeFor(number),
    "sms.endOtherSessions": true,
  });

  const login = await walker.begin("login");
  await login.press("password", { identifier, ...password(goodPassword) });
  await login.press("sms");
  await login.press("sms", { "sms.code": "abc" });
  await login.press("sms", { "sms.resend": true });
  await login.press("back");
  app.clock.advance(60_000);
  await login.press("sms");
  await login.press("sms", { "sms.code": await walker.codeFor(number) });
}

/** Makes an account with a passkey, signs in with it, and adds another one. */
export async function walkPasskeys(_app: TestApp, walker: Walker): Promise<void> {
  const device = new SoftwareAuthenticator();
  const email = freshEmail();
  const registration = await walker.begin("registration");
  await registration.press("passkey", { "traits.email": email });
  await registration.press("passkey", { "passkey.response": {} });
  const made = device.create(optionsOf(registration.flow));
  const { outcome } = await registration.press("passkey", { "passkey.response": made });
  const { signedIn } = outcome.case === "completed" ? outcome.value : {};

  const login = await walker.begin("login");
  await login.press("passkey");
  await login.press("passkey", { "passkey.response": { id: "unknown" } });
  await login.press("passkey", { "passkey.response": device.get(optionsOf(login.flow)) });

  const settings = await walker.begin("settings", { bearer: signedIn?.sessionToken ?? "" });
  await settings.press("passkey");
  await settings.press("passkey", {
    "passkey.label": "Key",
    "passkey.response": new SoftwareAuthenticator().create(optionsOf(settings.flow)),
  });
  const { stage } = settings.flow;
  const own = stage.case === "changeSettings" ? stage.value.credentials[0] : undefined;
  await settings.press("manageCredential", { "manageCredential.credentialId": own?.id ?? "" });
  const enabled = { "secondFactor.credentialId": own?.id ?? "", "secondFactor.enabled": true };
  await settings.press("secondFactor", enabled);
}

/** Signs up, signs in and links an account at a provider, in an app. */
export async function walkProviders(app: SocialApp, walker: Walker): Promise<void> {
  const returnUrl = "com.example.app:/callback";
  const begin = { "oidc.provider": "first", "oidc.returnUrl": returnUrl };
  const there = async ({ outcome }: Answer, as: SignInOptions) => {
    if (outcome.case !== "redirect") throw new Error(`it was ${outcome.case}`);
    return { "oidc.exchangeCode": await exchangeCodeOf(app, outcome.value.url, as) };
  };
  const ada = somebody();
  const registration = await walker.begin("registration");
  await registration.refused("oidc", { "oidc.provider": "first" });
  await registration.press("oidc", { "oidc.exchangeCode": "made up" });
  await registration.press("oidc", await there(await registration.press("oidc", begin), ada));

  const login = await walker.begin("login");
  const { outcome } = await login.press("oidc", await there(await login.press("oidc", begin), ada));
  const { signedIn } = outcome.case === "completed" ? outcome.value : {};

  const stranger = await walker.begin("login");
  const { flow } = await stranger.press(
    "oidc",
    await there(await stranger.press("oidc", begin), { ...ada, subject: freshEmail(), cancels: true }),
  );
  if (flow !== undefined) await (await walker.goOn(flow)).press("oidc", { "oidc.exchangeCode": "made up" });

  const settings = await walker.begin("settings", { bearer: signedIn?.sessionToken ?? "" });
  const second = { "oidc.provider": "second", "oidc.returnUrl": returnUrl };
  await settings.press("oidc", await there(await settings.press("oidc", second), somebody()));
}

/** What a node of text says. */
function textOf(flow: Flow, name: string): string {
  const kind = flow.form?.nodes.find((node) => node.name === name)?.kind;
  return (kind?.case === "text" && kind.value.text?.text) || "";
}

/** The same as `walkLogin`, with the identifier first. */
export async function walkStagedLogin(app: TestApp, walker: Walker): Promise<void> {
  const person = await createPerson(app);
  const identifier = person.email;
  const login = await walker.begin("login");
  await login.refused("password", { identifier });
  await login.press("identify");
  await login.press("identify", { identifier: "nobody@example.com" });
  await login.press("identify", { identifier });
  await login.press("password", { identifier: "nobody@example.com", ...password(goodPassword) });
  await login.press("back");
  await login.press("identify", { identifier });
  await login.press("password", { identifier, ...password(goodPassword) });
}

/** Makes accounts: by password, code and link. */
export async function walkRegistration(app: TestApp, walker: Walker): Promise<void> {
  const taken = await createPerson(app);
  const email = freshEmail();
  const registration = await walker.begin("registration");
  await registration.press("password", { "traits.email": "no address", ...password(goodPassword) });
  await registration.press("password", { "traits.email": email, ...password("short") });
  await registration.press("password", { "traits.email": taken.email, ...password(goodPassword) });
  await registration.press("password", password(goodPassword));
  await registration.refused("resend");
  await registration.press("password", {
    "traits.email": email,
    "traits.name": `x${email.split("@")[0]}`,
    ...password(goodPassword),
  });

  const byCode = freshEmail();
  const code = await walker.begin("registration");
  await code.press("sendCode", { "traits.email": byCode });
  await code.press("resend");
  app.clock.advance(60_000);
  await code.press("resend");
  await code.press("back");
  app.clock.advance(60_000);
  await code.press("sendCode", { "traits.email": byCode });
  await code.press("code", { "code.code": "000000" });
  await code.press("code", { "code.code": await walker.codeFor(byCode) });

  const byLink = freshEmail();
  const asks = await walker.begin("registration");
  await asks.press("sendLink", { "traits.email": byLink });
  const opened = await walker.begin("registration", {}, { linkToken: await walker.linkFor(byLink) });
  await opened.press("confirmLink");
}

/** The same as `walkRegistration`, with the profile first. */
export async function walkStagedRegistration(_app: TestApp, walker: Walker): Promise<void> {
  const email = freshEmail();
  const registration = await walker.begin("registration");
  await registration.refused("password", password(goodPassword));
  await registration.press("profile", { "traits.email": "no address" });
  await registration.press("profile", { "traits.email": email, "traits.name": null });
  await registration.press("back");
  await registration.press("profile");
  await registration.press("password", password(goodPassword));
}

/** An account that was registered with a password, and has no verified address. */
async function unclaimed(app: TestApp) {
  const email = freshEmail();
  const walk = await new Walker(app, byTypedSubmit).begin("registration");
  const { outcome } = await walk.press("password", { "traits.email": email, ...password(goodPassword) });
  const { signedIn } = outcome.case === "completed" ? outcome.value : {};
  return { email, bearer: signedIn?.sessionToken ?? "" };
}

/** Proves an address in a verification or a recovery. */
export async function walkProof(
  app: TestApp,
  walker: Walker,
  kind: "verification" | "recovery",
): Promise<void> {
  const person = await createPerson(app, ["email"]);
  const address = kind === "recovery" ? person.email : person.spare;
  const proof = await walker.begin(kind);
  await proof.press("sendCode");
  await proof.press("sendCode", { address: "nobody@example.com" });
  await proof.refused("confirmLink");
  await proof.press("sendCode", { address });
  await proof.press("resend");
  await proof.press("code", { "code.code": "abc" });
  await proof.press("code", { "code.code": "000000" });
  app.clock.advance(60_000);
  await proof.press("resend");
  await proof.press("back");
  app.clock.advance(60_000);
  await proof.press("sendCode", { address });
  await proof.press("code", { "code.code": await walker.codeFor(address) });

  const asks = await walker.begin(kind);
  const other = await createPerson(app, ["email"]);
  const linked = kind === "recovery" ? other.email : other.spare;
  await asks.press("sendLink", { address: linked });
  const opened = await walker.begin(kind, {}, { linkToken: await walker.linkFor(linked) });
  await opened.press("confirmLink");
}

/** Answers the question whose account it is. */
export async function walkClaim(
  app: TestApp,
  walker: Walker,
  kind: "verification" | "recovery",
): Promise<void> {
  const prove = async (email: string, shown: Shown = {}) => {
    const walk = await walker.begin(kind, shown);
    await walk.press("sendCode", { address: email });
    await walk.press("code", { "code.code": await walker.codeFor(email) });
    return walk;
  };
  const kept = await unclaimed(app);
  const first = await prove(kept.email);
  await first.refused("code");
  await first.press("resume");
  await first.press("back");
  await (await prove(kept.email)).press("disown");
}

/** Recovers an account by one of several addresses, and sets the new password. */
export async function walkRecoveryChoice(app: TestApp, walker: Walker): Promise<void> {
  const person = await createPerson(app);
  const recovery = await walker.begin("recovery");
  await recovery.press("sendCode", { address: person.name });
  await recovery.press("sendCode", { "sendCode.addressId": "9" });
  await recovery.press("back");
  await recovery.press("sendCode", { address: person.name });
  await recovery.press("sendCode", { "sendCode.addressId": "2" });
  const { outcome } = await recovery.press("code", { "code.code": await walker.codeFor(person.spare) });
  const action = outcome.case === "completed" ? outcome.value.continueWith[0]?.action : undefined;
  const settings = await walker.goOn(action?.case === "settings" ? action.value.flow : undefined);
  await settings.refused("profile", {});
  await settings.press("password", password("short"));
  await settings.press("password", password(another));
}

/** Has a recovery wait, and stops it. */
export async function walkHeldRecovery(app: TestApp, walker: Walker): Promise<void> {
  const { email } = await createPerson(app, ["email"]);
  const recovery = await walker.begin("recovery");
  await recovery.press("sendCode", { address: email });
  await recovery.press("code", { "code.code": await walker.codeFor(email) });
  await recovery.refused("code", { "code.code": "000000" });
  const linkToken = await walker.linkFor(email);
  await recovery.press("back");
  const stops = await walker.begin("recovery", {}, { linkToken });
  const late = await walker.begin("recovery", {}, { linkToken });
  await stops.refused("confirmLink");
  await stops.press("stopRecovery");
  await late.refused("stopRecovery");
}

/** Changes an account: the profile, an address, the password, its end. */
export async function walkSettings(app: TestApp, walker: Walker): Promise<void> {
  const person: Person = await createPerson(app);
  const bearer = await sessionTokenOf(app, person.email);
  const settings = await walker.begin("settings", { bearer });
  await settings.refused("resume");
  await settings.refused("code");
  await settings.press("profile", { "traits.name": "" });
  await settings.press("profile", { "traits.name": `y${person.name}`, "traits.work": null });
  await settings.press("profile", { "traits.email": "no address" });
  await settings.press("profile", { "traits.email": person.spare, "traits.spare": person.email });
  const next = freshEmail();
  await settings.press("profile", { "traits.email": next });
  await settings.press("resend");
  await settings.press("code", { "code.code": "000000" });
  app.clock.advance(60_000);
  await settings.press("resend");
  await settings.press("back");
  app.clock.advance(60_000);
  await settings.press("profile", { "traits.email": next });
  await settings.press("code", { "code.code": await walker.codeFor(next) });
  await settings.press("password", password("short"));
  await settings.press("password", password(another));

  // The session is not fresh enough any more.
  app.clock.advance(3 * 3_600_000);
  const later = await walker.begin("settings", { bearer });
  await later.press("profile", { "traits.email": freshEmail() });
  await later.press("deleteAccount");
  await later.press("password", password("yet another good one"));
  await later.press("resume");
  const login = await walker.begin("login", { bearer }, { purpose: LoginPurpose.REFRESH });
  const { outcome } = await login.press("password", password(another));
  const { signedIn } = outcome.case === "completed" ? outcome.value : {};
  const fresh = { bearer: signedIn?.sessionToken ?? "" };
  const again = await walker.goOn(later.flow, fresh);
  await again.press("resume");
  await again.refused("keepAccount");
  await again.press("deleteAccount");

  const owner = { bearer: await await signIn(app, next, "yet another good one") };
  const back = await walker.begin("settings", owner);
  await back.press("keepAccount");
}

async function signIn(app: TestApp, identifier: string, secret: string): Promise<string> {
  const walk = await new Walker(app, byTypedSubmit).begin("login");
  const { outcome } = await walk.press("password", { identifier, ...password(secret) });
  return (outcome.case === "completed" ? outcome.value.signedIn?.sessionToken : undefined) ?? "";
}
