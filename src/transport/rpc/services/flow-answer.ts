import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SubmitSettingsFlowResponseSchema } from "../../../../gen/ostiary/flow/v1/settings_service_pb.js";
import type { RequiredActionSchema } from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import type { FormOutcome } from "../../../domain/flow/any-flows.ts";
import type { LoginOutcome } from "../../../domain/flow/login/login-flows.ts";
import type { BegunForOAuth2 } from "../../../domain/flow/oauth2/oauth2-flows.ts";
import type { RecoveryOutcome } from "../../../domain/flow/recovery/recovery-flows.ts";
import type { RegistrationOutcome } from "../../../domain/flow/registration/registration-flows.ts";
import type { SettingsOutcome } from "../../../domain/flow/settings/settings-flows.ts";
import type {
  AnsweredBefore,
  CreatedFlow,
  Flow,
  FlowCompleted,
  FlowOutcome,
  SessionWaits,
} from "../../../domain/flow/shared/flow.ts";
import type { VerificationOutcome } from "../../../domain/flow/verification/verification-flows.ts";
import type { Identity } from "../../../domain/identity/identity.ts";
import { browserCookie, deviceCookie, providerCookie, sessionCookie } from "../../net/cookies.ts";
import type { Call } from "../call.ts";
import { toTimestamp } from "../convert/common.ts";
import { toFlow } from "../convert/flow.ts";
import { toRejected } from "../convert/rejection.ts";
import { toRequiredActions } from "../convert/required-action.ts";
import { toSession } from "../convert/session.ts";
import type { ProfileOf } from "./identity-profiles.ts";

/** An outcome that was not answered before. */
type Fresh<Outcome> = Exclude<Outcome, AnsweredBefore>;

/** The outcome of a form that was not answered before. */
export type FreshForm = FormOutcome extends infer Form
  ? Form extends { readonly kind: infer Kind; readonly outcome: infer Result }
    ? { readonly kind: Kind; readonly outcome: Fresh<Result> }
    : never
  : never;

/** Every outcome; a settings flow can have each of them. */
type Outcome = NonNullable<MessageInitShape<typeof SubmitSettingsFlowResponseSchema>["outcome"]>;
type Completed = Extract<Outcome, { case: "completed" }>["value"];

/** The answer to a form of any kind of flow. */
export function answerForm(call: Call, { kind, outcome }: FreshForm, profileOf: ProfileOf) {
  switch (kind) {
    case "login":
    case "registration":
      return answerSignIn(call, outcome, profileOf);
    case "verification":
      return answerVerification(call, outcome);
    case "recovery":
      return answerRecovery(call, outcome, profileOf);
    case "settings":
      return answerSettings(call, outcome, profileOf);
    default: {
      const unreachable: never = kind;
      return unreachable;
    }
  }
}

/** The answer to a submit of a login or a registration. */
export async function answerSignIn(
  call: Call,
  outcome: Fresh<LoginOutcome | RegistrationOutcome>,
  profileOf: ProfileOf,
) {
  if (outcome.kind !== "completed") return answerUnfinished(call, outcome);
  const { returnTo = "", verification, settings, handOver, identity } = outcome.completed;
  const login = handOver && acceptCreated(call, handOver);
  return completed({
    signedIn: await signIn(call, outcome.completed, profileOf),
    returnTo,
    continueWith: [...toContinueWith({ verification, settings, login }), ...toActions(call, identity)],
  });
}

/** The answer to a submit of a verification. */
export function answerVerification(call: Call, outcome: Fresh<VerificationOutcome>) {
  if (outcome.kind !== "completed") return answerUnfinished(call, outcome);
  const { returnTo = "", settings, verifiedAddress = "" } = outcome.completed;
  return completed({ returnTo, verifiedAddress, continueWith: toContinueWith({ settings }) });
}

/** The answer to a submit of a recovery. */
export async function answerRecovery(call: Call, outcome: Fresh<RecoveryOutcome>, profileOf: ProfileOf) {
  if (outcome.kind !== "completed") return answerUnfinished(call, outcome);
  const { settings, session } = outcome.completed;
  return completed({
    ...(session !== undefined && { signedIn: await signIn(call, session, profileOf) }),
    continueWith: toContinueWith({ settings }),
  });
}

/** The answer to a submit of settings. */
export async function answerSettings(call: Call, outcome: Fresh<SettingsOutcome>, profileOf: ProfileOf) {
  switch (outcome.kind) {
    case "saved": {
      const { flow, identity, session } = outcome;
      const signedIn = session && (await signIn(call, { ...session, identity }, profileOf));
      const value = { identity: await profileOf(identity), signedIn };
      return { flow: toFlow(flow), outcome: { case: "saved" as const, value } };
    }
    case "deletion_scheduled": {
      const { client, purgeAt, returnTo = "" } = outcome;
      if (client === "browser") await call.browser.clear();
      return completed({ returnTo, purgeTime: toTimestamp(purgeAt) });
    }
    case "completed": {
      const { identity, session, returnTo = "" } = outcome.completed;
      const signedIn = session && (await signIn(call, { ...session, identity }, profileOf));
      return completed({ signedIn, returnTo, continueWith: toActions(call, identity) });
    }
    default:
      return answerUnfinished(call, outcome);
  }
}

function completed(value: Completed) {
  return { outcome: { case: "completed" as const, value } };
}

function answerUnfinished(call: Call, outcome: Fresh<FlowOutcome> | SessionWaits) {
  switch (outcome.kind) {
    case "session_waits":
      return answer(acceptCreated(call, outcome.login), "loginRequired", {});
    case "next_step":
      return answer(outcome.flow, "nextStep", {});
    case "rejected":
      return answer(outcome.flow, "rejected", toRejected(outcome.rejection));
    case "redirect":
      return answer(outcome.flow, "redirect", { url: outcome.url });
    case "login_required": {
      const waitingFlow = toFlow(outcome.flow);
      return answer(acceptCreated(call, outcome.loginFlow), "loginRequired", { waitingFlow });
    }
    case "expired":
      return answer(acceptCreated(call, outcome.replacement), "expired", {});
    default: {
      const unreachable: never = outcome;
      return unreachable;
    }
  }
}

/** What to draw now, with the outcome. */
function answer<const Case extends string, Value>(flow: Flow, name: Case, value: Value) {
  return { flow: toFlow(flow), outcome: { case: name, value } };
}

/**
 * Hands over the new session: a browser gets cookies, which replace all session cookies that it had; other clients get tokens.
 */
async function signIn(
  call: Call,
  {
    session,
    token,
    client,
    identity,
    device,
  }: Pick<FlowCompleted, "session" | "token" | "client" | "identity" | "device">,
  profileOf: ProfileOf,
) {
  if (client === "browser") await acceptSession(call, { session, token, device });
  const isNative = client === "native";
  return {
    session: toSession(session, call, { currentId: session.id, identity }),
    sessionToken: isNative ? token.reveal() : "",
    identity: await profileOf(identity),
    deviceToken: (isNative && device?.reveal()) || "",
  };
}

/** Gives a browser the cookies of its new session. */
async function acceptSession(
  call: Call,
  { session, token, device }: Pick<FlowCompleted, "session" | "token" | "device">,
): Promise<void> {
  const span = { now: call.now, expiresAt: session.expiresAt };
  await call.browser.replace(call.origin, sessionCookie(call.tenant, token.reveal(), span));
  if (device !== undefined) call.setCookie(deviceCookie(call.tenant, device.reveal()));
  const provider = session.authenticationMethods.findLast((each) => each.provider !== undefined)?.provider;
  if (provider !== undefined) call.setCookie(providerCookie(call.tenant, provider));
}

/** Where a browser goes on: in a flow, or else at an address. Empty: as the configuration says. */
export interface GoesOn {
  readonly flow?: Flow | undefined;
  /** On the page of the settings, where a change waits. That page knows which. */
  readonly isForSettings?: boolean | undefined;
  readonly returnTo?: string | undefined;
}

/** The answer to a browser that is no page of ours now, but on its way: sets its cookies, and says where it goes on. */
export async function acceptForm(call: Call, { outcome }: FreshForm): Promise<GoesOn> {
  switch (outcome.kind) {
    case "completed": {
      const { completed } = outcome;
      if ("token" in completed) await acceptSession(call, completed);
      else if ("session" in completed && completed.session) await acceptSession(call, completed.session);
      // The application at the OAuth2 server waits: what can be done later is done later.
      if ("isHandedOver" in completed && completed.isHandedOver) {
        const { handOver, returnTo } = completed;
        return handOver === undefined ? { returnTo } : { flow: acceptCreated(call, handOver) };
      }
      const flow =
        ("verification" in completed && completed.verification) ||
        ("settings" in completed && completed.settings) ||
        undefined;
      return {
        flow,
        isForSettings: "isForSettings" in completed && completed.isForSettings,
        returnTo: "returnTo" in completed ? completed.returnTo : undefined,
      };
    }
    case "saved":
      if (outcome.session !== undefined) await acceptSession(call, outcome.session);
      return { flow: outcome.flow };
    case "deletion_scheduled":
      return { returnTo: outcome.returnTo };
    case "session_waits":
      return { flow: acceptCreated(call, outcome.login) };
    case "login_required":
      return { flow: acceptCreated(call, outcome.loginFlow) };
    case "expired":
      return { flow: acceptCreated(call, outcome.replacement) };
    case "next_step":
    case "rejected":
    case "redirect":
      return { flow: outcome.flow };
    default:
      return outcome satisfies never;
  }
}

function toContinueWith(flows: {
  readonly verification?: Flow | undefined;
  readonly settings?: Flow | undefined;
  readonly login?: Flow | undefined;
}) {
  const { verification, settings, login } = flows;
  const goOn = <const Case extends string>(name: Case, flow: Flow | undefined) =>
    flow === undefined ? [] : [{ action: { case: name, value: { flow: toFlow(flow) } } }];
  return [...goOn("verification", verification), ...goOn("settings", settings), ...goOn("login", login)];
}

/** What the account is asked to do at any time. */
function toActions(call: Call, identity: Identity) {
  const value = (action: MessageInitShape<typeof RequiredActionSchema>) => ({
    action: { case: "requiredAction" as const, value: action },
  });
  return toRequiredActions(identity, call).map(value);
}

/** The answer to a flow that the OAuth2 server asked for. */
export function answerBegun(call: Call, begun: BegunForOAuth2) {
  if (begun.kind === "redirect") return { redirect: { url: begun.url } };
  return { flow: toFlow(acceptCreated(call, begun.created)) };
}

/** Sets the browser cookie where one was made for the flow, and gives the flow. */
export function acceptCreated(call: Call, { flow, newBrowserToken }: CreatedFlow): Flow {
  if (newBrowserToken !== undefined) call.setCookie(browserCookie(call.tenant, newBrowserToken.reveal()));
  return flow;
}
