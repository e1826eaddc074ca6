import type { RequiredActionKind } from "../../domain/identity/required-actions.ts";
import type { SessionId } from "../../domain/ids.ts";
import type { MethodKind } from "../../domain/kinds.ts";
import type { TenantSettings } from "../../domain/tenant/tenant.ts";
import * as texts from "../../domain/user-message/user-messages.ts";
import type { PreviewState, SampleFlow } from "../preview-state.ts";
import { email, longEmail, type Samples, unavailableProvider } from "../samples.ts";
import { statesOf } from "./flow-states.ts";

const state = statesOf("login", { kind: "sign_in" });

/** The states of a login. */
export function loginStates(samples: Samples): readonly PreviewState[] {
  const { oauth2 } = application();
  const refresh = { kind: "refresh", session: samples.session().id } as const;
  const secondFactor = (...methods: readonly MethodKind[]) => ({
    at: "choose_second_factor" as const,
    firstFactor: samples.firstFactor(...methods),
    typed: email,
  });
  const wrong = { fields: [{ name: "password.password", message: texts.invalidCredentials() }], form: [] };

  return [
    state("enter-identifier", "The identifier comes first", () => ({ at: "enter_identifier" })),
    state(
      "enter-identifier-without-name",
      "No identifier was typed",
      () => ({ at: "enter_identifier" }),
      () => ({
        rejected: {
          problems: { fields: [{ name: "identifier", message: texts.required("identifier") }], form: [] },
        },
      }),
    ),
    state("choose-method", "The methods, once it is said who signs in", () => ({
      at: "choose_method",
      identifier: { typed: email, value: email },
    })),
    state("choose-method-long", "The same, with a long address", () => ({
      at: "choose_method",
      identifier: { typed: longEmail, value: longEmail },
    })),
    state("one-step", "Identifier and password in one form", () => ({ at: "choose_method" })),
    state(
      "password-alone",
      "Nothing but passwords",
      () => ({ at: "choose_method" }),
      () => ({
        settings: passwordAlone,
      }),
    ),
    state(
      "without-password",
      "Codes, links and passkeys alone",
      () => ({ at: "choose_method" }),
      () => ({
        settings: (settings) => ({
          ...settings,
          password: { ...settings.password, enabled: false },
          providers: [],
        }),
      }),
    ),
    state(
      "invitation-only",
      "Only people with an invitation make accounts",
      () => ({ at: "choose_method" }),
      () => ({
        settings: (settings) => ({
          ...settings,
          registration: { ...settings.registration, mode: "invitation" },
        }),
      }),
    ),
    state(
      "wrong-password",
      "A wrong password",
      () => ({ at: "choose_method" }),
      () => ({
        rejected: { problems: wrong, typed: { text: email } },
      }),
    ),
    state(
      "last-provider",
      "The provider that was used last",
      () => ({ at: "choose_method" }),
      () => ({
        lastProvider: "google",
      }),
    ),
    state(
      "goes-on-elsewhere",
      "The way to a provider, as a link",
      () => ({ at: "choose_method" }),
      () => ({
        goesOnAt: "https://accounts.example.com/",
      }),
    ),
    state(
      "provider-away",
      "A provider that does not answer",
      () => ({ at: "choose_method" }),
      () => ({
        settings: (settings) => ({
          ...settings,
          providers: settings.providers.map((each, place) =>
            place === 0 ? { ...each, id: unavailableProvider } : each,
          ),
        }),
      }),
    ),
    state(
      "rich",
      "Several kinds of identifiers",
      () => ({ at: "choose_method" }),
      () => ({ schema: "rich" }),
    ),
    state(
      "application",
      "For an application at an OAuth2 server",
      () => ({ at: "choose_method" }),
      () => ({ oauth2 }),
    ),
    state(
      "refresh",
      "Confirming who one is",
      () => ({ at: "choose_method" }),
      () => ({
        purpose: refresh,
        identity: samples.person(),
      }),
    ),
    state(
      "link-account",
      "Signing in to link an account at a provider",
      () => ({ at: "choose_method" }),
      () => ({
        purpose: { kind: "link", vouched: samples.vouched() },
        identity: samples.person(),
      }),
    ),
    state("second-factor", "A choice of second factors", () =>
      secondFactor("passkey", "totp", "sms", "backup_code"),
    ),
    state("second-factor-app", "The code of an authenticator app", () => secondFactor("totp")),
    state("second-factor-passkey", "A passkey as the second factor", () => secondFactor("passkey")),
    state("second-factor-backup-code", "A backup code", () => secondFactor("backup_code")),
    state("second-factor-sms", "A code by text message can be sent", () => secondFactor("sms")),
    state("second-factor-sms-sent", "The code by text message was sent", async () => ({
      at: "continue_method",
      method: { kind: "sms", memory: await samples.begunLogin("sms") },
      firstFactor: samples.firstFactor("sms"),
      typed: email,
    })),
    state("enter-code", "A code was sent", () => samples.sent("enter_code", email)),
    state("enter-code-just-sent", "A code was sent this moment", () => samples.sent("enter_code", email, 0)),
    state("enter-code-long", "A code was sent to a long address", () =>
      samples.sent("enter_code", longEmail),
    ),
    state(
      "wrong-code",
      "A wrong code",
      () => samples.sent("enter_code", email),
      () => ({
        rejected: {
          problems: { fields: [{ name: "code.code", message: texts.invalidCode("login") }], form: [] },
        },
      }),
    ),
    state(
      "enter-code-refresh",
      "A code, without a word where it went",
      () => samples.sent("enter_code", ""),
      () => ({
        purpose: refresh,
        identity: samples.person(),
      }),
    ),
    state("link-sent", "A link was sent", () => samples.sent("link_sent", email)),
    state("confirm-link", "A link was opened", () => samples.opened("a****@example.com")),
    ...requiredActions(samples),
    state(
      "hand-over",
      "An application could not be told",
      () => ({
        at: "hand_over",
        session: samples.session().id as SessionId,
      }),
      () => ({ oauth2 }),
    ),
  ];
}

/** What is done before the session. */
function requiredActions(samples: Samples): readonly PreviewState[] {
  const asked = (kind: RequiredActionKind) => {
    const [action] = samples.personAsked(kind).requiredActions;
    if (action === undefined) throw new Error("nothing is asked for");
    return {
      at: "required_action" as const,
      proved: { proofs: [] },
      typed: email,
      action: { ...action, createdAt: action.createdAt.toISOString() },
    };
  };
  return [
    state("set-password", "First: a new password", () => asked("set_password")),
    state("verify-address", "First: the address", () => ({
      ...asked("verify_address"),
      action: { ...asked("verify_address").action, address: { kind: "email", value: email } },
    })),
    state(
      "complete-traits",
      "First: what is missing of the profile",
      () => ({
        ...asked("complete_traits"),
        action: { ...asked("complete_traits").action, profile: { schemaId: "default", traits: { email } } },
      }),
      () => ({ schema: "rich" }),
    ),
    state("enrol-factor", "First: a second factor", () => asked("enrol_factor")),
    state("enrol-factor-app", "First: the key for an authenticator app", async () => ({
      ...asked("enrol_factor"),
      method: { kind: "totp", memory: await samples.begun("totp") },
    })),
    state("accept-terms", "First: a document", () => asked("accept_terms")),
    state("all-done", "All that was asked for is done", () => ({
      at: "required_action",
      proved: { proofs: [] },
    })),
  ];
}

/** A login that an application asked for. */
function application(): Pick<SampleFlow, "oauth2"> {
  const client = { id: "library", name: "City Library" };
  return { oauth2: { challenge: "sample", requestUrl: "https://oauth2.example.com/", client } };
}

function passwordAlone(settings: TenantSettings): TenantSettings {
  const none: TenantSettings["link"]["enabledFor"] = new Set();
  return {
    ...settings,
    providers: [],
    passkey: { ...settings.passkey, enabled: false },
    code: { ...settings.code, enabledFor: none },
    link: { ...settings.link, enabledFor: none },
  };
}
