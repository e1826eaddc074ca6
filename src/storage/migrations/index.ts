import type { Migration } from "@mikro-orm/migrations";

/** A migration: its name as it is recorded, and how to get its code, which is not read while nothing is pending. */
interface ListedMigration {
  readonly name: string;
  readonly load: () => Promise<new (...parameters: ConstructorParameters<typeof Migration>) => Migration>;
}

/** All migrations, oldest first. A list, not a pattern over file names, so that compiled code finds them too. */
export const migrations: readonly ListedMigration[] = [
  {
    name: "20261124000000-foundation",
    load: async () => (await import("./20261124000000-foundation.ts")).Foundation,
  },
  {
    name: "20261125090000-flow-challenges",
    load: async () => (await import("./20261125090000-flow-challenges.ts")).FlowChallenges,
  },
  {
    name: "20261125100000-courier",
    load: async () => (await import("./20261125100000-courier.ts")).Courier,
  },
  {
    name: "20261125110000-throttle",
    load: async () => (await import("./20261125110000-throttle.ts")).Throttle,
  },
  {
    name: "20261125130000-login-history",
    load: async () => (await import("./20261125130000-login-history.ts")).LoginHistory,
  },
  {
    name: "20261126100000-invitations",
    load: async () => (await import("./20261126100000-invitations.ts")).Invitations,
  },
  {
    name: "20261126110000-account-deletion",
    load: async () => (await import("./20261126110000-account-deletion.ts")).AccountDeletion,
  },
  {
    name: "20261126120000-even-work",
    load: async () => (await import("./20261126120000-even-work.ts")).EvenWork,
  },
  {
    name: "20261128000000-api-key-makers",
    load: async () => (await import("./20261128000000-api-key-makers.ts")).ApiKeyMakers,
  },
  {
    name: "20261128030000-unclaimed-accounts",
    load: async () => (await import("./20261128030000-unclaimed-accounts.ts")).UnclaimedAccounts,
  },
  {
    name: "20261129010000-proof-purposes",
    load: async () => (await import("./20261129010000-proof-purposes.ts")).ProofPurposes,
  },
  {
    name: "20261129020000-credential-ids",
    load: async () => (await import("./20261129020000-credential-ids.ts")).CredentialIds,
  },
  {
    name: "20261129020100-address-paths",
    load: async () => (await import("./20261129020100-address-paths.ts")).AddressPaths,
  },
];
