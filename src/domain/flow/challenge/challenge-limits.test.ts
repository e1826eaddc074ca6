import { describe, expect, test } from "vitest";
import {
  aFlow,
  afterNoon,
  anIdentity,
  noon,
  origin,
  someSettings,
} from "../../../../test/support/records.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { IdentityId, TenantId } from "../../ids.ts";
import type { FlowKind } from "../../kinds.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { ThrottleSubjects } from "../../throttle/subjects.ts";
import type { FlowCaller, FlowRecord } from "../shared/flow.ts";
import { countSend, countTry, isAlive } from "./challenge-limits.ts";

const owner = "owner" as IdentityId;
const target: ContactAddress = { kind: "email", value: "ada@example.com", identityId: owner };
const tenant: Tenant = { tenantId: "t" as TenantId, name: "default", settings: someSettings() };
const challenge = {
  kind: "code",
  digest: new Uint8Array(32),
  expiresAt: afterNoon(10),
  attempts: 0,
} as const;

/** What is counted by these rules. */
async function counted(of: (attempt: Parameters<typeof countSend>[0]) => Promise<unknown>, flow: FlowRecord) {
  const calls: { readonly action: string; readonly subjects: ThrottleSubjects }[] = [];
  const count: Parameters<typeof countSend>[0]["count"] = async (action, subjects) => {
    calls.push({ action, subjects });
    return { shownDevices: [], own: undefined, releases: [], silenced: new Set(), wrongCodes: 0 };
  };
  await of({ caller: { tenant, origin } as FlowCaller, flow, count });
  expect(calls).toHaveLength(1);
  return calls[0];
}

const sent = (flow: FlowRecord, what: Partial<Parameters<typeof countSend>[1]> = {}) =>
  counted(
    (attempt) => countSend(attempt, { isFixed: false, target, sentTo: " ADA@example.com", ...what }),
    flow,
  );

describe("a message that is asked for", () => {
  // Security rule (SR-ENUM-10): counted by what was typed, so that the answer does not tell whether anybody has it.
  test.each<[string, ContactAddress | undefined]>([
    ["somebody has", target],
    ["nobody has", undefined],
  ])("is counted by what was typed, which %s (SR-ENUM-10)", async (_, found) => {
    expect(await sent(aFlow("login"), { target: found })).toEqual({
      action: "code_send",
      subjects: {
        purpose: "login",
        recipient: "ada@example.com",
        identityId: found?.identityId,
        mailbox: "ada@example.com",
        registrationMailbox: undefined,
      },
    });
  });

  // Security rule (SR-LIMIT-15): the holder of an account can have few messages sent in a day, all addresses together.
  test("is counted by the account that its sender has shown to hold (SR-LIMIT-15)", async () => {
    const inSettings = aFlow("settings", { identityId: owner });
    const before = aFlow("login", { identityId: owner });
    const { data } = before;
    const after = { ...before, data: { ...data, state: { at: "required_action", proved: { proofs: [] } } } };
    for (const flow of [inSettings, after]) {
      expect(await sent(flow, { target: undefined })).toMatchObject({ subjects: { holder: owner } });
    }
    for (const flow of [before, aFlow("recovery", { identityId: owner })]) {
      expect(await sent(flow)).toMatchObject({ subjects: { holder: undefined } });
    }
  });

  test("is counted by the mailbox that a name leads to as well", async () => {
    expect(await sent(aFlow("recovery"), { sentTo: "Ada" })).toMatchObject({
      subjects: { recipient: "ada", mailbox: "ada@example.com" },
    });
    expect(await sent(aFlow("recovery"), { sentTo: "?", target: undefined })).toMatchObject({
      subjects: { recipient: "?", mailbox: "?" },
    });
  });

  test("is counted by the account's address where nothing was typed, and not by its mailbox", async () => {
    const flow = aFlow("login", { identityId: owner });
    expect(await sent(flow, { isFixed: true, sentTo: "a****@example.com" })).toMatchObject({
      subjects: { recipient: "ada@example.com", mailbox: undefined, identityId: owner },
    });
    // What is fixed in a flow of nobody was typed all the same.
    expect(await sent(aFlow("login"), { isFixed: true, sentTo: "ada" })).toMatchObject({
      subjects: { recipient: "ada", mailbox: "ada@example.com" },
    });
    expect(await sent(flow, { sentTo: "ada" })).toMatchObject({ subjects: { recipient: "ada" } });
    expect(await sent(flow, { isFixed: true, target: undefined, sentTo: "a" })).toMatchObject({
      subjects: { recipient: "a", mailbox: undefined },
    });
  });

  test.each<[FlowKind, boolean, boolean]>([
    ["login", true, false],
    ["recovery", true, false],
    ["registration", false, true],
    ["verification", false, false],
    ["settings", false, false],
  ])(
    "in a flow of the kind %s is counted by its mailbox: %s, as a registration: %s",
    async (kind, named, made) => {
      const { subjects } = (await sent(aFlow(kind))) ?? {};
      expect(subjects).toMatchObject({
        purpose: kind,
        mailbox: named ? "ada@example.com" : undefined,
        registrationMailbox: made ? "ada@example.com" : undefined,
      });
    },
  );

  test("in settings is counted for the owner of the flow, also where somebody else has the address", async () => {
    const flow = aFlow("settings", { identityId: anIdentity().id });
    expect(await sent(flow)).toMatchObject({ subjects: { identityId: flow.identityId } });
  });
});

describe("a try", () => {
  const tried = (holder: FlowRecord | undefined, action: "code_check" | "link_check" = "code_check") =>
    counted(
      (attempt) => countTry(attempt, { isFixed: false, target, sentTo: "ada", action, holder, now: noon }),
      aFlow("login"),
    );
  const waiting = aFlow("login", { challenge });

  // Security rule (SR-LIMIT-2): one of a secret that is alive is not stopped by what others of the client's address do.
  test("of a secret that is alive is counted as one (SR-LIMIT-2)", async () => {
    expect(await tried(waiting)).toEqual({
      action: "code_check",
      subjects: { purpose: "login", recipient: "ada", identityId: owner },
    });
    expect(await tried(waiting, "link_check")).toMatchObject({ action: "link_check" });
  });

  test.each<[string, FlowRecord | undefined]>([
    ["is in no flow", undefined],
    ["was never sent", { ...waiting, challenge: undefined }],
    ["is of a flow that is over", { ...waiting, state: "completed" }],
    ["has expired", { ...waiting, challenge: { ...challenge, expiresAt: noon } }],
    ["was tried as often as it may be", { ...waiting, challenge: { ...challenge, attempts: 5 } }],
  ])("of a secret that %s is counted by the client's address", async (_, holder) => {
    expect(await tried(holder)).toMatchObject({ action: "late_check" });
    if (holder !== undefined) expect(isAlive(holder, tenant, noon)).toBe(false);
  });

  test("may be the last one", () => {
    expect(isAlive({ ...waiting, challenge: { ...challenge, attempts: 4 } }, tenant, noon)).toBe(true);
  });
});
