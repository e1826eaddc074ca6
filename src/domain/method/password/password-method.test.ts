import { expect, test } from "vitest";
import { aCredential, anAsker, anIdentity, noon, someSettings } from "../../../../test/support/records.ts";
import { createPasswordHasher } from "../../../crypto/password-hasher.ts";
import type { TenantId } from "../../ids.ts";
import type { PasswordHasher } from "../../ports.ts";
import { Secret } from "../../secret.ts";
import { PasswordMethod } from "./password-method.ts";
import type { PasswordPolicy } from "./policy.ts";

const settings = someSettings();
const argon2 = { memoryKib: 64, iterations: 1, parallelism: 1 };
const tenant = {
  tenantId: "t" as TenantId,
  name: "default",
  settings: { ...settings, password: { ...settings.password, argon2 } },
};
const password = "correct horse battery";

/** Signs in with the right password, whose hash has other parameters than today's. */
async function logIn(hasher: PasswordHasher) {
  const policy = {} as PasswordPolicy;
  const method = new PasswordMethod({ hasher, policy, breaches: { note: () => {} } });
  const secret = await hasher.hash(new Secret(password), { ...argon2, iterations: 2 }, anAsker());
  const credential = { ...aCredential(), kind: "password" as const, secret };
  return method.proveLogin({
    ...{ tenant, step: { name: "password", fields: { password } }, factor: "first", demanded: [] },
    candidate: { identity: anIdentity(), credential, credentials: [credential], loginSequence: 1 },
    binding: { client: "native", flowDigest: Buffer.alloc(32), revision: 1 },
    place: { time: noon, device: "" },
    flow: { kind: "login", id: "" },
    asker: anAsker(),
  });
}

test("a right password signs in although there is no room to hash it anew", async () => {
  const hasher = createPasswordHasher({ concurrency: 1, queueLimit: 0 });
  const underWay: Promise<void>[] = [];
  const busy: PasswordHasher = {
    ...hasher,
    compare: async (...given) => {
      const result = await hasher.compare(...given);
      // Somebody else gets the only place.
      underWay.push(hasher.verifyDecoy(new Secret("another password"), argon2, anAsker()));
      return result;
    },
  };
  expect(await logIn(busy)).toMatchObject({ kind: "proved", replacement: undefined });
  await Promise.all(underWay);
  // The control: with room it is replaced.
  expect(await logIn(hasher)).toMatchObject({ kind: "proved", replacement: { kind: "password" } });
  await hasher.close();
});
