import { domainError } from "../../errors.ts";
import { violationReasonOf } from "../../field-violation.ts";
import type { NewCredential } from "../../identity/identity.ts";
import type { NewPassword, PasswordMaker } from "../../identity/new-password.ts";
import type { HashAsker, PasswordHasher } from "../../ports.ts";
import type { Secret } from "../../secret.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import { passwordCredential } from "./password-credential.ts";
import type { PasswordAccount, PasswordPolicy, PasswordViolation } from "./policy.ts";

/** Makes the hashes that operators' passwords are stored as. */
export class NewPasswords implements PasswordMaker {
  readonly #deps: { readonly policy: PasswordPolicy; readonly hasher: PasswordHasher };

  constructor(deps: { readonly policy: PasswordPolicy; readonly hasher: PasswordHasher }) {
    this.#deps = deps;
  }

  async make(
    tenant: Tenant,
    password: NewPassword,
    account: PasswordAccount,
    field: string,
    asker: HashAsker,
  ): Promise<NewCredential> {
    if (password.kind === "hash") return this.#importable(password.hash, field);
    const violation = await this.#deps.policy.check(password.password.reveal(), account, tenant);
    if (violation !== undefined) throw rejected(violation, `${field}.password`);
    const hash = await this.#deps.hasher.hash(password.password, tenant.settings.password.argon2, asker);
    return passwordCredential({ hash, algorithm: "argon2id" });
  }

  #importable(secret: Secret, field: string): NewCredential {
    const record = this.#deps.hasher.importable(secret.reveal());
    if (record !== undefined) return passwordCredential(record);
    const description = "is not a supported password hash";
    const violations = [{ field: `${field}.hash`, description, reason: "FORMAT" as const }];
    throw domainError("PASSWORD_HASH_UNSUPPORTED", {}, { violations });
  }
}

function rejected(violation: PasswordViolation, field: string) {
  const { rule } = violation;
  const violations = [{ field, description: sentenceOf(violation), reason: violationReasonOf(rule) }];
  return domainError("PASSWORD_REJECTED", { rule }, { violations });
}

function sentenceOf(violation: PasswordViolation): string {
  switch (violation.rule) {
    case "too_short":
      return `must have at least ${violation.min} characters, not ${violation.actual}`;
    case "too_long":
      return `must have at most ${violation.max} characters, not ${violation.actual}`;
    case "common":
      return "is one of the passwords that are tried first";
    case "too_similar":
      return "is too similar to the identifiers or traits";
    case "breached":
      return `is known from data breaches, ${violation.count} times`;
    default:
      return violation satisfies never;
  }
}
