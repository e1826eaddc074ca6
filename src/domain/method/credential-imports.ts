import { domainError, invalid } from "../errors.ts";
import type { FieldViolation } from "../field-violation.ts";
import type { Credential, NewCredential } from "../identity/identity.ts";
import type { CredentialImporter, ImportedCredential } from "../identity/imported-credential.ts";
import type { Clock } from "../ports.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { ImportMethod } from "./method.ts";

/** Imports credentials of other systems, each by its method. */
export class CredentialImports implements CredentialImporter {
  readonly #deps: { readonly methods: readonly ImportMethod[]; readonly clock: Clock };

  constructor(deps: { readonly methods: readonly ImportMethod[]; readonly clock: Clock }) {
    this.#deps = deps;
  }

  async read(
    tenant: Tenant,
    imported: readonly ImportedCredential[],
    own: readonly Credential[],
  ): Promise<readonly NewCredential[]> {
    const credentials: NewCredential[] = [];
    const violations: FieldViolation[] = [];
    const now = this.#deps.clock.now();
    for (const each of imported) {
      const method = this.#deps.methods.find(({ kind }) => kind === each.kind);
      if (method === undefined) throw new Error(`no method imports ${each.kind}`);
      const { field, label, createdAt } = each;
      if (createdAt !== undefined && createdAt > now) {
        const description = "must not be in the future";
        violations.push({ field: `${field}.createTime`, description, reason: "RANGE" });
      }
      const made = await method.importCredential(each, tenant);
      if ("violations" in made) {
        violations.push(...made.violations);
        continue;
      }
      const { kind, lookupKey } = made.credential;
      if (credentials.some((other) => other.kind === kind && other.lookupKey === lookupKey)) {
        const description = "is that of another one of this request";
        violations.push({ field: `${field}.${method.importKey}`, description, reason: "NOT_UNIQUE" });
      }
      credentials.push({ ...made.credential, label: label.trim() || made.credential.label || "", createdAt });
    }
    if (violations.length > 0) throw invalid(...violations);
    return this.#askedAlike(credentials, own);
  }

  assertNumber(credentials: readonly Credential[]): void {
    for (const { kind, mostCredentials } of this.#deps.methods) {
      if (credentials.filter((credential) => credential.kind === kind).length > mostCredentials)
        throw domainError("CREDENTIALS_TOO_MANY", { kind, limit: String(mostCredentials) });
    }
  }

  /** Logins ask for all credentials of a kind or for none, as where their owner chooses. */
  #askedAlike(credentials: readonly NewCredential[], own: readonly Credential[]): readonly NewCredential[] {
    const asked = new Set(
      [...own, ...credentials].flatMap(({ kind, isSecondFactor }) => (isSecondFactor ? [kind] : [])),
    );
    return credentials.map((each) => ({ ...each, isSecondFactor: asked.has(each.kind) }));
  }
}
