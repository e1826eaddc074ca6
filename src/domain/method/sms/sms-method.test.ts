import { describe, expect, test } from "vitest";
import { TestClock } from "../../../../test/support/clock.ts";
import { aCredential, anAsker, anIdentity, noon, someSettings } from "../../../../test/support/records.ts";
import { createOneTimeCodes } from "../../../crypto/one-time-codes.ts";
import { createSealer } from "../../../crypto/sealer.ts";
import type { CredentialWithSecret } from "../../identity/identity.ts";
import type { TenantId } from "../../ids.ts";
import { Secret } from "../../secret.ts";
import type { LoginAttempt, MethodMemory, SecretAttempt } from "../method.ts";
import { SmsMethod } from "./sms-method.ts";

const secrets = () => [new Secret("s".repeat(32))];
const clock = new TestClock();
const method = new SmsMethod({ codes: createOneTimeCodes(secrets), sealer: createSealer(secrets), clock });
const tenant = { tenantId: "t" as TenantId, name: "default", settings: someSettings() };
const place = { time: noon, device: "" };
const flow = { kind: "login", id: "" } as const;
const bindings = {
  here: { client: "native" as const, flowDigest: Buffer.alloc(32, 1), revision: 1 },
  elsewhere: { client: "native" as const, flowDigest: Buffer.alloc(32, 2), revision: 1 },
};
const numbers = { own: "+491712345678", other: "+491712345679" };

function setUp(fields: object, change: Partial<SecretAttempt> = {}) {
  const step = { name: "sms", fields: { ...fields } };
  const account = { traits: {}, identifiers: [], name: "Ada" };
  return method.settingsSteps.sms.take({
    ...{ tenant, step, account, credentials: [], binding: bindings.here, isFresh: true, place, flow },
    asker: anAsker(),
    ...change,
  });
}

function signIn(fields: object, credential: CredentialWithSecret, change: Partial<LoginAttempt> = {}) {
  const candidate = { identity: anIdentity(), credential, credentials: [credential], loginSequence: 1 };
  const step = { name: "sms", fields: { ...fields } };
  return method.proveLogin({
    ...{ tenant, step, candidate, binding: bindings.here, place, flow },
    ...{ factor: "second", demanded: [] },
    asker: anAsker(),
    ...change,
  });
}

/** What was remembered, and the code that was sent. */
function sentBy(result: Awaited<ReturnType<typeof setUp>> | Awaited<ReturnType<typeof signIn>>) {
  if (result.kind !== "continues" || result.sends === undefined) throw new Error(`it was ${result.kind}`);
  const { content } = result.sends;
  return { memory: result.memory, code: "code" in content.data ? content.data.code : "" };
}

async function credentialOf(number: string): Promise<CredentialWithSecret> {
  const { memory, code } = sentBy(await setUp({ phoneNumber: number }));
  const kept = await setUp({ code }, { memory });
  if (kept.kind !== "changed") throw new Error(`it was ${kept.kind}`);
  return { ...aCredential(), ...kept.credential, secret: String(kept.credential.secret) };
}

// Security rule (SR-SMS-1): what a code is good for is part of what is digested.
describe("a code by text message (SR-SMS-1)", () => {
  test("is right for its flow, its number and its purpose alone", async () => {
    const [own, other] = [await credentialOf(numbers.own), await credentialOf(numbers.other)];
    const { memory, code } = sentBy(await signIn({}, own));
    expect((await signIn({ code }, own, { memory })).kind).toBe("proved");
    expect((await signIn({ code }, other, { memory })).kind).toBe("rejected");
    expect((await signIn({ code }, own, { memory, binding: bindings.elsewhere })).kind).toBe("rejected");
    const inSettings = sentBy(await setUp({ phoneNumber: numbers.own }));
    const moved: MethodMemory = { ...inSettings.memory };
    expect((await signIn({ code: inSettings.code }, own, { memory: moved })).kind).toBe("rejected");
  });

  test("is not remembered, nor is the number", async () => {
    const own = await credentialOf(numbers.own);
    const { memory, code } = sentBy(await setUp({ phoneNumber: numbers.own }));
    expect(JSON.stringify({ memory, own })).not.toMatch(new RegExp(`"${code}"|${numbers.own.slice(1)}`));
    expect(own.facts).toEqual({ masked: "+49****78" });
  });

  test("is sent to nobody where the account has no number any more, and none is right", async () => {
    const candidate = {
      identity: anIdentity(),
      credential: undefined,
      credentials: [],
      loginSequence: 1,
    };
    const asked = await signIn({}, aCredential() as CredentialWithSecret, { candidate });
    if (asked.kind !== "continues") throw new Error(`it was ${asked.kind}`);
    expect(asked.sends).toBeUndefined();
    const { memory } = asked;
    for (const code of ["000000", "123456"]) {
      const tried = await signIn({ code }, aCredential() as CredentialWithSecret, { candidate, memory });
      expect(tried.kind).toBe("rejected");
    }
  });
});

// Security rule (SR-SMS-2): what costs money waits for a fresh login, also where a code was sent before.
test("nothing is sent for an old session, and none is remembered as sent (SR-SMS-2)", async () => {
  const { memory } = sentBy(await setUp({ phoneNumber: numbers.own }));
  clock.advance(60_000);
  for (const asked of [
    await setUp({ phoneNumber: numbers.own }, { isFresh: false }),
    await setUp({ resend: true }, { isFresh: false, memory }),
  ]) {
    if (asked.kind !== "continues") throw new Error(`it was ${asked.kind}`);
    expect(asked.sends).toBeUndefined();
    expect(Object.keys(asked.memory)).toEqual(["number"]);
  }
});

test("a number of the tenant's country is the same one without its country code, also where it is limited", async () => {
  const step = { name: "sms", fields: { phoneNumber: "0171 2345678" } };
  const there = { ...tenant, settings: someSettings({ defaultCountry: "DE" }) };
  const { sends } = await setUp(step.fields, { tenant: there }).then((result) =>
    result.kind === "continues" ? result : { sends: undefined },
  );
  expect(sends?.recipient).toBe(numbers.own);
  expect(method.settingsSteps.sms.sendsTo({ tenant: there, step, memory: undefined })).toBe(numbers.own);
  // Elsewhere nobody knows which country is meant.
  expect((await setUp(step.fields)).kind).toBe("rejected");
  expect(method.settingsSteps.sms.sendsTo({ tenant, step, memory: undefined })).toBeUndefined();
});

// Security rule (SR-SMS-4): it is worth two factors only where the configuration says so.
test("a code by text message is worth what the configuration says (SR-SMS-4)", () => {
  const counting = {
    ...tenant,
    settings: someSettings({ smsFactor: { enabled: true, countsAsAal2: true } }),
  };
  expect([method.assuranceLevel(tenant), method.assuranceLevel(counting)]).toEqual(["aal1", "aal2"]);
});
