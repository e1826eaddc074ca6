import type { MethodKind } from "../../src/domain/kinds.ts";
import type {
  LoginAttempt,
  LoginMethod,
  LoginStage,
  MethodMemory,
  RegistrationMethod,
  RegistrationStage,
  SecretAttempt,
  SettingsMethod,
  SettingsStage,
} from "../../src/domain/method/method.ts";
import type { AssuranceLevel } from "../../src/domain/session/session.ts";
import type { Tenant } from "../../src/domain/tenant/tenant.ts";
import { passwordTitle } from "../../src/domain/user-message/user-messages.ts";
import { aPassword, aVouchedAccount } from "./records.ts";

/*
 * Methods of the kinds that the server does not have yet: one that redirects, one of several steps, one that is only shown
 * second, and one that can be either.
 */

/** Signs in elsewhere, where somebody vouches for the account that is shown. */
export class Elsewhere implements LoginMethod {
  readonly kind = "elsewhere" as MethodKind;
  readonly factor = "first";
  readonly credential = "oidc";
  readonly isVouchedFor = true;
  /** The key of the account elsewhere. */
  key: string | undefined;

  loginNodes() {
    return [];
  }

  async proveLogin({ step, memory }: LoginAttempt) {
    if (memory === undefined) {
      return {
        kind: "redirects",
        url: "https://elsewhere.example/?state=s1",
        memory: { state: "s1" },
      } as const;
    }
    if (this.key === undefined || step.fields.state !== memory.state) return wrong;
    return { kind: "vouched", vouched: aVouchedAccount(this.key) } as const;
  }
}

/** Asks once more before it believes. */
export class TwoQuestions implements LoginMethod {
  readonly kind = "questions" as MethodKind;
  readonly factor = "first";
  readonly credential = "password";

  loginNodes(_tenant: Tenant, { memory }: LoginStage) {
    const name = memory === undefined ? "questions.first" : "questions.second";
    return [{ name, messages: [], element: { kind: "input", type: "text" } } as const];
  }

  async proveLogin({ step, memory, candidate }: LoginAttempt) {
    if (memory === undefined) return { kind: "continues", memory: { asked: 1 } } as const;
    if (candidate === undefined || step.fields.answer !== candidate.credential?.secret) return wrong;
    const authentication = { kind: "password", assuranceLevel: "aal1" } as const;
    return { kind: "proved", candidate, authentication } as const;
  }
}

/** Knows the stored secret. */
export class KnowsSecret implements LoginMethod {
  readonly kind: MethodKind;
  readonly factor: LoginMethod["factor"];
  readonly credential = "password";
  readonly #assuranceLevel: AssuranceLevel;

  constructor(
    kind: string,
    factor: LoginMethod["factor"],
    assuranceLevel: AssuranceLevel = factor === "second" ? "aal2" : "aal1",
  ) {
    this.kind = kind as MethodKind;
    this.factor = factor;
    this.#assuranceLevel = assuranceLevel;
  }

  loginNodes() {
    return [];
  }

  async proveLogin({ step, candidate }: LoginAttempt) {
    if (candidate === undefined || step.fields.secret !== candidate.credential?.secret) return wrong;
    const authentication = { kind: "password", assuranceLevel: this.#assuranceLevel } as const;
    return { kind: "proved", candidate, authentication } as const;
  }
}

/** Takes a new secret in two steps, of which the first one may lead elsewhere. */
export class SecretInTwoSteps implements RegistrationMethod, SettingsMethod {
  readonly kind = "password";
  readonly #url: string | undefined;

  constructor(url?: string) {
    this.#url = url;
  }

  registrationNodes(_tenant: Tenant, { memory }: RegistrationStage) {
    return nodesAfter(memory);
  }

  async proveRegistration({ step, memory }: SecretAttempt) {
    if (memory === undefined) return this.#goOn(step.fields.secret);
    const authentication = { kind: "password", assuranceLevel: "aal1" } as const;
    return { kind: "proved", credential: aPassword(String(memory.secret)), authentication } as const;
  }

  sectionTitle() {
    return passwordTitle();
  }

  readonly settingsSteps = {
    password: {
      setsNewSecret: () => true,
      nodes: ({ memory }: SettingsStage) => nodesAfter(memory),
      take: async ({ step, memory }: SecretAttempt) => {
        if (memory === undefined) return this.#goOn(step.fields.secret);
        const notice = { template: "password_changed", data: {} } as const;
        const credential = aPassword(String(memory.secret));
        return { kind: "changed", credential, notice, endsOtherSessions: true } as const;
      },
    },
    forget: { nodes: () => [], take: async () => wrong },
  };

  #goOn(secret: unknown) {
    if (secret === undefined) return wrong;
    const memory = { secret: String(secret) };
    return this.#url === undefined
      ? ({ kind: "continues", memory } as const)
      : ({ kind: "redirects", url: this.#url, memory } as const);
  }
}

function nodesAfter(memory: MethodMemory | undefined) {
  const name = memory === undefined ? "password.first" : `password.second.${memory.secret}`;
  return [{ name, step: "password", messages: [], element: { kind: "input", type: "text" } } as const];
}

const wrong = {
  kind: "rejected",
  reason: "CREDENTIALS_INVALID",
  problems: { fields: [], form: [] },
} as const;
