import { DomainError } from "../../errors.ts";
import { button, type Node } from "../../form/form.ts";
import type { PasswordRule, StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { NewCredential } from "../../identity/identity.ts";
import type { HashAsker, PasswordHasher } from "../../ports.ts";
import { Secret } from "../../secret.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import { newPasswordLabel } from "../../user-message/account-messages.ts";
import * as texts from "../../user-message/user-messages.ts";
import type {
  LoginAttempt,
  LoginMethod,
  LoginProved,
  LoginStage,
  RegistrationMethod,
  RegistrationProved,
  RegistrationStage,
  SecretAttempt,
  SecretChanged,
  SettingsMethod,
  SettingsStage,
} from "../method.ts";
import type { BreachedAtLogin } from "./breached-at-login.ts";
import { passwordCredential } from "./password-credential.ts";
import { longestPassword, type PasswordPolicy, type PasswordViolation, passwordLength } from "./policy.ts";

const authentication = { kind: "password", assuranceLevel: "aal1" } as const;
const fieldName = "password.password";
/** Told to the owner when it was changed. */
const notice = { template: "password_changed", data: {} } as const;

/** Signing in and making an account with a password. */
export class PasswordMethod implements LoginMethod, RegistrationMethod, SettingsMethod {
  readonly kind = "password";
  readonly factor = "first";
  readonly credential = "password";
  readonly #hasher: PasswordHasher;
  readonly #policy: PasswordPolicy;
  readonly #breaches: Pick<BreachedAtLogin, "note">;

  constructor({
    hasher,
    policy,
    breaches,
  }: {
    readonly hasher: PasswordHasher;
    readonly policy: PasswordPolicy;
    readonly breaches: Pick<BreachedAtLogin, "note">;
  }) {
    this.#hasher = hasher;
    this.#policy = policy;
    this.#breaches = breaches;
  }

  isEnabled({ settings }: Tenant): boolean {
    return settings.password.enabled;
  }

  loginNodes(tenant: Tenant, { username }: LoginStage): readonly Node[] {
    return [
      ...usernameNodes(username),
      passwordNode(tenant, "current-password"),
      button("password", texts.signInWithPassword()),
    ];
  }

  registrationNodes(tenant: Tenant, { username }: RegistrationStage): readonly Node[] {
    return [
      ...usernameNodes(username),
      passwordNode(tenant, "new-password"),
      button("password", texts.signUp()),
    ];
  }

  async proveLogin({ tenant, step, candidate, asker }: LoginAttempt): Promise<LoginProved | StepRejected> {
    const password = passwordOf(step);
    if (password === undefined) return incomplete();
    const { argon2 } = tenant.settings.password;
    // What is longer than any password can be is not hashed, for any account.
    if (passwordLength(password) > longestPassword) return credentialsInvalid();
    const secret = new Secret(password);
    const credential = candidate?.identity.state === "active" ? candidate.credential : undefined;
    const hash = credential?.secret;
    if (candidate === undefined || credential === undefined || hash === undefined) {
      // Unknown, inactive or without a password: the same work and the same answer as for a wrong password
      // (ASVS V6.3.8), so that neither the answer nor its time tells which.
      await this.#hasher.verifyDecoy(secret, argon2, asker);
      return credentialsInvalid();
    }
    const { matches, needsRehash } = await this.#hasher.compare(secret, hash, argon2, asker);
    if (!matches) return credentialsInvalid();
    const replacement = needsRehash ? await this.#rehash(tenant, secret, asker) : undefined;
    const { identity } = candidate;
    const whenShown = () =>
      this.#breaches.note(tenant, {
        identity,
        credentialId: credential.id,
        hashes: replacement === undefined ? [hash] : [hash, replacement.secret],
        password: secret,
      });
    return { kind: "proved", candidate, authentication, replacement, whenShown };
  }

  async proveRegistration(attempt: SecretAttempt): Promise<RegistrationProved | StepRejected> {
    const made = await this.#makePassword(attempt);
    return made.kind === "rejected" ? made : { kind: "proved", credential: made.credential, authentication };
  }

  mistakesIn({
    tenant,
    step,
    account,
  }: Pick<SecretAttempt, "tenant" | "step" | "account">): StepRejected | undefined {
    const password = passwordOf(step);
    if (password === undefined) return incomplete();
    const violation = this.#policy.checkHere(password, account, tenant);
    return violation && notTaken(violation.rule, violationMessage(violation));
  }

  sectionTitle(): texts.UserMessage {
    return texts.passwordTitle();
  }

  readonly settingsSteps = {
    password: {
      setsNewSecret: () => true,
      nodes: ({ tenant, username }: SettingsStage) => [
        ...usernameNodes(username),
        passwordNode(tenant, "new-password", newPasswordLabel()),
        button("password", texts.saveLabel()),
      ],
      take: (attempt: SecretAttempt) => this.#makePassword(attempt),
    },
  };

  /** Checks a new password against the policy, and hashes it. */
  async #makePassword(attempt: SecretAttempt): Promise<SecretChanged | StepRejected> {
    const { tenant, step, account } = attempt;
    const password = passwordOf(step);
    if (password === undefined) return incomplete();
    const violation = await this.#policy.check(password, account, tenant);
    if (violation !== undefined) return notTaken(violation.rule, violationMessage(violation));
    if (await this.#isUnchanged(password, attempt)) return notTaken("unchanged", texts.passwordUnchanged());
    const credential = await this.#hash(tenant, new Secret(password), attempt.asker);
    return { kind: "changed", credential, notice, endsOtherSessions: step.fields.keepOtherSessions !== true };
  }

  /**
   * Security rule (SR-ACTION-2): the password that an account has is no new one, where a new one is asked for. Elsewhere nobody is told
   * which password that is.
   */
  async #isUnchanged(password: string, { tenant, outdatedSecret, asker }: SecretAttempt): Promise<boolean> {
    if (outdatedSecret === undefined) return false;
    const { argon2 } = tenant.settings.password;
    return (await this.#hasher.compare(new Secret(password), outdatedSecret, argon2, asker)).matches;
  }

  /** The password as it would be hashed today; undefined while the server is too busy for it: the password was right. */
  async #rehash(tenant: Tenant, password: Secret, asker: HashAsker): Promise<NewCredential | undefined> {
    try {
      return await this.#hash(tenant, password, asker);
    } catch (error) {
      // It is replaced the next time that the machine is less busy.
      if (error instanceof DomainError && error.reason === "SERVER_OVERLOADED") return undefined;
      throw error;
    }
  }

  async #hash(tenant: Tenant, password: Secret, asker: HashAsker): Promise<NewCredential> {
    const hash = await this.#hasher.hash(password, tenant.settings.password.argon2, asker);
    return passwordCredential({ hash, algorithm: "argon2id" });
  }
}

/**
 * What is signed in with beside a password that is asked for alone, for programs that keep passwords: they look for a name beside each of them. It is drawn
 * out of sight and fills nothing. None where it is not known.
 */
function usernameNodes(username: string | undefined): readonly Node[] {
  if (username === undefined || username === "") return [];
  const autocomplete = "username";
  return [
    {
      name: "username",
      step: "password",
      messages: [],
      element: { kind: "input", type: "hidden", value: username, readOnly: true, autocomplete },
    },
  ];
}

function passwordNode(
  tenant: Tenant,
  autocomplete: "current-password" | "new-password",
  label = texts.passwordLabel(),
): Node {
  const isNew = autocomplete === "new-password";
  return {
    name: fieldName,
    step: "password",
    label,
    messages: [],
    element: {
      kind: "input",
      type: "password",
      required: true,
      autocomplete,
      minLength: isNew ? tenant.settings.password.minLength : undefined,
      maxLength: isNew ? tenant.settings.password.maxLength : longestPassword,
    },
  };
}

function passwordOf(step: SubmittedStep): string | undefined {
  const password = step.fields.password;
  return typeof password === "string" && password !== "" ? password : undefined;
}

function incomplete(): StepRejected {
  const message = texts.required(fieldName);
  return {
    kind: "rejected",
    reason: "FORM_INCOMPLETE",
    problems: { fields: [{ name: fieldName, message }], form: [] },
  };
}

function notTaken(passwordRule: PasswordRule, message: texts.UserMessage): StepRejected {
  return {
    kind: "rejected",
    reason: "PASSWORD_REJECTED",
    passwordRule,
    problems: { fields: [{ name: fieldName, message }], form: [] },
  };
}

function credentialsInvalid(): StepRejected {
  return {
    kind: "rejected",
    reason: "CREDENTIALS_INVALID",
    problems: { fields: [], form: [texts.invalidCredentials()] },
  };
}

function violationMessage(violation: PasswordViolation): texts.UserMessage {
  switch (violation.rule) {
    case "too_short":
      return texts.passwordTooShort(violation.min, violation.actual);
    case "too_long":
      return texts.passwordTooLong(violation.max, violation.actual);
    case "common":
      return texts.passwordTooCommon();
    case "too_similar":
      return texts.passwordTooSimilar();
    case "breached":
      return texts.passwordBreached(violation.count);
    default:
      return violation satisfies never;
  }
}
