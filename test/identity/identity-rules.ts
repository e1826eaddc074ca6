import { createCommonPasswords } from "../../src/crypto/common-passwords.ts";
import { createKeyedDigests } from "../../src/crypto/keyed-digests.ts";
import { createPasswordHasher } from "../../src/crypto/password-hasher.ts";
import { createSealer } from "../../src/crypto/sealer.ts";
import { createTokens } from "../../src/crypto/tokens.ts";
import { Outbox } from "../../src/domain/courier/outbox.ts";
import { Credentials } from "../../src/domain/identity/credentials.ts";
import { defaultSchemaDocument } from "../../src/domain/identity/default-schema.ts";
import { Identities } from "../../src/domain/identity/identities.ts";
import type { NewIdentity } from "../../src/domain/identity/identity-input.ts";
import { IdentitySchemas } from "../../src/domain/identity/schemas.ts";
import type { JsonObject } from "../../src/domain/json.ts";
import { CredentialImports } from "../../src/domain/method/credential-imports.ts";
import { NewPasswords } from "../../src/domain/method/password/new-passwords.ts";
import { PasswordChecks } from "../../src/domain/method/password/password-checks.ts";
import { createPasswordPolicy } from "../../src/domain/method/password/policy.ts";
import { PageTokens } from "../../src/domain/paging/page-tokens.ts";
import type { Argon2Parameters, PasswordHasher, Sealer, TenantScope } from "../../src/domain/ports.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { Tenant } from "../../src/domain/tenant/tenant.ts";
import { Devices } from "../../src/domain/throttle/devices.ts";
import { Throttle } from "../../src/domain/throttle/throttle.ts";
import { openTwoTenants, type TwoTenants } from "../storage/two-tenants.ts";
import { noon, noReleases, someSettings } from "../support/records.ts";

/** Cheap parameters of argon2id. */
export const cheapArgon2: Argon2Parameters = { memoryKib: 64, iterations: 1, parallelism: 1 };

/** A password that every rule of the policy allows. */
export const goodPassword = "correct horse battery";

/** What one call of the decoy, the hash or the verification was. */
export type HashCall = "hash" | "compare" | "decoy";

/** The rules of identities on a database of their own, with a clock that the test moves. */
export interface IdentityRules extends TwoTenants {
  readonly identities: Identities;
  readonly credentials: Credentials;
  readonly passwordChecks: PasswordChecks;
  readonly schemas: IdentitySchemas;
  readonly tenant: Tenant;
  readonly otherTenant: Tenant;
  readonly sealer: Sealer;
  readonly clock: { at: Date; now(): Date };
  /** The hashing that was done, in order; a test may empty it. */
  readonly hashCalls: HashCall[];
}

/** A schema beside the default one: a username and several email addresses. */
export const namesDocument: JsonObject = {
  properties: {
    username: { type: "string", ostiary: { identifier: "username" } },
    emails: {
      type: "array",
      items: { type: "string", ostiary: { identifier: "email", verifiable: "email" } },
    },
  },
};

/** Opens everything; `storage.close` removes it. */
export async function openIdentityRules(): Promise<IdentityRules> {
  const tenants = await openTwoTenants();
  const { storage } = tenants;
  const clock = {
    at: noon,
    now() {
      return clock.at;
    },
  };
  const hashCalls: HashCall[] = [];
  const hasher = recording(createPasswordHasher({ concurrency: 2, queueLimit: 2 }), hashCalls);
  const sealer = createSealer(() => [secret]);
  const pageTokens = new PageTokens({ sealer });
  const schemas = new IdentitySchemas({ store: storage.schemas, pageTokens, clock });
  for (const scope of [tenants.scope, tenants.other]) {
    await schemas.load(scope, [
      { id: "default", document: defaultSchemaDocument },
      { id: "names", document: namesDocument },
    ]);
  }
  const passwords = new NewPasswords({
    policy: createPasswordPolicy({
      commonPasswords: createCommonPasswords(),
      // Switched off for these tenants; the journeys have a service to ask.
      breachedPasswords: { countOf: async () => undefined },
    }),
    hasher,
  });
  const imports = new CredentialImports({ methods: [], clock });
  return {
    ...tenants,
    schemas,
    sealer,
    clock,
    hashCalls,
    tenant: tenantOf(tenants.scope, "default"),
    otherTenant: tenantOf(tenants.other, "other"),
    identities: new Identities({
      store: storage.identities,
      schemas,
      passwords,
      imports,
      releases: noReleases,
      pageTokens,
      outbox: new Outbox({ sealer }),
      clock,
    }),
    credentials: new Credentials({
      identities: storage.identities,
      transactions: storage,
      passwords,
      imports,
      releases: noReleases,
      pageTokens,
      outbox: new Outbox({ sealer }),
      clock,
    }),
    passwordChecks: new PasswordChecks({
      identities: storage.identities,
      events: storage.events,
      throttle: new Throttle({
        store: storage.throttle,
        digests: createKeyedDigests(() => [secret]),
        devices: new Devices({ tokens: createTokens(), clock }),
        failedAttempts: { note: (_scope, events) => events },
        clock,
      }),
      hasher,
      clock,
    }),
  };
}

/** An identity to make, of the default schema. */
export function newIdentity(traits: JsonObject, change: Partial<NewIdentity> = {}): NewIdentity {
  return {
    schemaId: "",
    traits,
    password: undefined,
    externalId: "",
    publicMetadata: {},
    adminMetadata: {},
    verifiedAddresses: [],
    allowUnverifiedAddressAsUserName: false,
    state: "active",
    createdAt: undefined,
    requiredActions: [],
    ...change,
  };
}

/** A password in plain text. */
export function plain(password: string) {
  return { kind: "plain", password: new Secret(password) } as const;
}

const secret = new Secret("a secret of the tests, long enough");

function tenantOf(scope: TenantScope, name: string): Tenant {
  const { password } = someSettings();
  return {
    tenantId: scope.tenantId,
    name,
    settings: someSettings({ password: { ...password, maxLength: 64, argon2: cheapArgon2 } }),
  };
}

/** The real hasher; notes which work was done. */
function recording(hasher: PasswordHasher, calls: HashCall[]): PasswordHasher {
  return {
    ...hasher,
    hash: (password, parameters, asker) => {
      calls.push("hash");
      return hasher.hash(password, parameters, asker);
    },
    compare: (password, hash, parameters, asker) => {
      calls.push("compare");
      return hasher.compare(password, hash, parameters, asker);
    },
    verifyDecoy: (password, parameters, asker) => {
      calls.push("decoy");
      return hasher.verifyDecoy(password, parameters, asker);
    },
  };
}
