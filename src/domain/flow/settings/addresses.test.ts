import { expect, test } from "vitest";
import { addressesIn } from "./addresses.ts";

type Context = Parameters<typeof addressesIn>[1];
type Plan = Parameters<typeof addressesIn>[0]["plan"];

const account = () => ({
  identity: { traits: { email: "ada@example.com" }, verifiableAddresses: [], recoveryAddresses: [] },
  credentials: [],
});
const change = (email: string) => ({ patch: { email }, undo: { email: "ada@example.com" } });
const context = (about: object, state: object) => ({ account: about, state }) as unknown as Context;

test("the addresses of a change that waits are worked out once for a drawing, and again for another one", () => {
  const asked: unknown[] = [];
  const plan = ((_tenant: unknown, _identity: unknown, patch: unknown) => {
    asked.push(patch);
    const added = [{ kind: "email", value: `new-${asked.length}@example.com` }];
    return { plan: { kind: "planned", added } };
  }) as unknown as Plan;
  const valuesIn = (drawn: Context) => addressesIn({ plan }, drawn).map(({ value }) => value);

  const ada = account();
  const state = { at: "change_settings", unproved: change("new@example.com") };
  for (let part = 0; part < 3; part++) expect(valuesIn(context(ada, state))).toEqual(["new-1@example.com"]);
  expect(asked).toHaveLength(1);
  // A step has changed the state, and then the account was read anew.
  expect(valuesIn(context(ada, { ...state }))).toEqual(["new-2@example.com"]);
  expect(valuesIn(context(account(), state))).toEqual(["new-3@example.com"]);
  // Nothing waits.
  expect(valuesIn(context(account(), { at: "change_settings" }))).toEqual([]);
  expect(asked).toHaveLength(3);
});
