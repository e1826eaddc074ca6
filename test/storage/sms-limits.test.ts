import { afterAll, beforeAll, expect, test } from "vitest";
import { createKeyedDigests } from "../../src/crypto/keyed-digests.ts";
import { type IdentityId, newId } from "../../src/domain/ids.ts";
import type { Logger } from "../../src/domain/ports.ts";
import { Secret } from "../../src/domain/secret.ts";
import { SmsLimits } from "../../src/domain/throttle/sms-limits.ts";
import { TestClock } from "../support/clock.ts";
import { silentLogger } from "../support/postgres.ts";
import { someSettings } from "../support/records.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterAll(() => tenants.storage.close());

const sms = { countries: new Set(["DE", "AT", "CH"]), dailyBudget: 4 };
/** With a budget that these tests do not reach. */
const wide = { ...sms, dailyBudget: 1000 };
const numbers = {
  german: "+491712345678",
  austrian: "+436641234567",
  swiss: "+41791234567",
  american: "+16502530000",
};

function aServer(clock: TestClock, logger: Logger = silentLogger, settings = sms) {
  const digests = createKeyedDigests(() => [new Secret("s".repeat(32))]);
  const limits = new SmsLimits({ store: tenants.storage.throttle, digests, clock, logger });
  const tenant = { ...tenants.scope, name: "default", settings: someSettings({ sms: settings }) };
  return {
    take: (recipient: string, message: Partial<Parameters<SmsLimits["take"]>[2]> = {}) =>
      limits.take(tenants.scope, settings, {
        ...{ recipient, template: "login_code", identityId: undefined, attempts: 1, isNotice: false },
        ...message,
      }),
    refusalOf: (number: string) => limits.refusalOf(tenant, number),
  };
}

// Security rule (SR-SMS-3): no more text messages go to a country in a day than its budget, by all servers together.
test("of 16 messages at once as many are sent as the budget of the country allows (SR-SMS-3)", async () => {
  const clock = new TestClock();
  const lines: object[] = [];
  const logger = { ...silentLogger, warn: (fields: object) => lines.push(fields) };
  const servers = [aServer(clock, logger), aServer(clock, logger)];
  const [one, other] = servers;
  const taken = await Promise.all(
    Array.from({ length: 16 }, (_, index) => servers[index % 2]?.take(numbers.german)),
  );
  expect(taken.filter((refusal) => refusal === undefined)).toHaveLength(4);
  expect(taken.filter((refusal) => refusal === "budget")).toHaveLength(12);
  // What is asked counts nothing, and another country is not stopped.
  for (let index = 0; index < 5; index++) expect(await other?.refusalOf(numbers.austrian)).toBeUndefined();
  expect(await other?.refusalOf(numbers.german)).toBe("budget");
  expect(await one?.take(numbers.austrian)).toBeUndefined();
  // Given back evenly over the day.
  clock.advance(6 * 3_600_000);
  expect(await one?.refusalOf(numbers.german)).toBeUndefined();
  expect(await one?.take(numbers.german)).toBeUndefined();
  expect(await one?.take(numbers.german)).toBe("budget");
  expect(lines).toContainEqual({ country: "DE" });
});

test("a number of another country, or of none, is refused (SR-SMS-3)", async () => {
  const server = aServer(new TestClock());
  // Of a satellite telephone.
  for (const number of [numbers.american, "+881612345678"]) {
    expect(await server.take(number)).toBe("country");
    expect(await server.refusalOf(number)).toBe("country");
  }
});

// Security rule (SR-SMS-5): an account cannot use up the budget of a country by what its owner is told.
test("notices to one account are few a day, of each kind by itself, and codes are not among them (SR-SMS-5)", async () => {
  const clock = new TestClock();
  const server = aServer(clock, silentLogger, wide);
  const [identityId, another] = [newId<IdentityId>(clock.now()), newId<IdentityId>(clock.now())];
  const changed = { template: "second_factor_changed", identityId, isNotice: true } as const;
  const taken = await Promise.all(Array.from({ length: 16 }, () => server.take(numbers.swiss, changed)));
  expect(taken.filter((refusal) => refusal === undefined)).toHaveLength(5);
  expect(taken.filter((refusal) => refusal === "notices")).toHaveLength(11);
  // The number makes no difference; the kind of notice and the account do, and another try of one is not another one.
  expect(await server.take(numbers.austrian, changed)).toBe("notices");
  expect(await server.take(numbers.swiss, { ...changed, attempts: 2 })).toBeUndefined();
  expect(await server.take(numbers.swiss, { ...changed, template: "credential_added" })).toBeUndefined();
  expect(await server.take(numbers.swiss, { ...changed, identityId: another })).toBeUndefined();
  for (let index = 0; index < 8; index++) {
    expect(await server.take(numbers.swiss, { template: "login_code", identityId })).toBeUndefined();
  }
  clock.advance(86_400_000);
  expect(await server.take(numbers.swiss, changed)).toBeUndefined();
});
