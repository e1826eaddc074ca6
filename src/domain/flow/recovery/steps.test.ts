import { describe, expect, test } from "vitest";
import { appUrl, inShort, rejected, TestFlows } from "../../../../test/support/flows.ts";
import { aFlow, noon, someSettings } from "../../../../test/support/records.ts";
import type { Identity, VerifiableAddress } from "../../identity/identity.ts";
import { instantOf } from "../../instant.ts";
import type { TenantSettings } from "../../tenant/tenant.ts";
import type { FlowRecord } from "../shared/flow.ts";
import type { RecoveryCompletion } from "../shared/store.ts";
import type { OnHold } from "./state.ts";

const email = "ada@example.com";
const other = "countess@example.com";
const typed = { address: email };
const address = (value: string): VerifiableAddress => ({
  kind: "email",
  value,
  path: value,
  verifiedAt: noon,
});
const unverified = { verifiableAddresses: [{ ...address(email), verifiedAt: undefined }] };
const recovers = (...values: readonly string[]) =>
  values.map((value) => ({ kind: "email", value, path: value }) as const);
/** Ada with two addresses to recover by. */
const two = {
  verifiableAddresses: [address(email), address(other)],
  recoveryAddresses: recovers(email, other),
};
const friendly = { enumerationSafe: false };

/** A recovery of Ada, who has one verified address unless something else is said. */
async function recovery(
  person: Partial<Identity> = {},
  settings: Partial<TenantSettings> = {},
  purpose = {},
) {
  const flows = await TestFlows.make(settings);
  await flows.person(person);
  flows.put("recovery", { at: "choose_method" }, { returnTo: appUrl }, purpose);
  return flows;
}

describe("a recovery", () => {
  test("asks for an address or a name", async () => {
    const flows = await recovery();
    const flow = await flows.show();
    expect(inShort(flow)).toEqual({
      stage: "choose_method",
      texts: ["Recover your account", expect.stringContaining("")],
      messages: [],
      nodes: ['address: text! = ""', "sendCode: [Send code]", "sendLink: [Send link]"],
    });
    expect(flow.stage).toMatchObject({ offers: [{ kind: "code" }, { kind: "link" }] });
    expect(await rejected(flows.submit("sendCode", {}, { address: "" }))).toEqual({
      reason: "FORM_INCOMPLETE",
      messages: [],
      nodes: ['address: text! = "" <- Please fill in this field.'],
    });
  });

  test("sends a code, and leads to a new secret", async () => {
    const flows = await recovery();
    expect(await flows.submit("sendCode", {}, { address: ` ${email} ` })).toMatchObject({
      kind: "next_step",
    });
    expect(flows.sent()).toMatchObject({ template: "recovery_code", recipient: email, suppressed: false });
    expect(flows.flow).toMatchObject({
      identityId: flows.identity?.id,
      data: { state: { at: "enter_code", sentTo: email } },
    });
    expect(await flows.submit("code", flows.sent())).toMatchObject({
      kind: "completed",
      completed: { settings: { stage: { kind: "set_new_secret" } }, session: undefined },
    });
    expect(flows.last("completeRecovery")).toMatchObject({ identityId: flows.identity?.id });
  });

  test("by a link is completed by one click", async () => {
    const flows = await recovery();
    expect(await flows.submit("sendLink", {}, typed)).toMatchObject({ kind: "next_step" });
    await flows.openLink();
    expect(await flows.submit("confirmLink")).toMatchObject({ kind: "completed" });
  });

  // Security rule (SR-ENUM-7): nothing tells whether anybody was found, or by what.
  test.each<[string, Partial<Identity> | undefined, string, boolean]>([
    ["nobody has", undefined, "ada", true],
    ["somebody has who is inactive", { state: "inactive" }, email, true],
    ["was never verified", unverified, email, true],
    [
      "leads to another address",
      { identifiers: [{ kind: "username", value: "ada", path: "" }] },
      "ada",
      false,
    ],
    ["is one of several", two, email, false],
  ])("answers alike for a name that %s (SR-ENUM-7)", async (_, person, name, suppressed) => {
    const flows = await recovery(person);
    if (person === undefined) flows.identity = undefined;
    expect(await flows.submit("sendCode", {}, { address: name })).toMatchObject({ kind: "next_step" });
    expect(flows.flow?.data.state).toMatchObject({ at: "enter_code", sentTo: name });
    expect(flows.sent()).toMatchObject({ suppressed });
  });

  test.each<[string, Partial<Identity> | undefined]>([
    ["nobody has", undefined],
    ["was never verified", unverified],
  ])("where answers may tell says so of a name that %s", async (_, person) => {
    const flows = await recovery(person, friendly);
    if (person === undefined) flows.identity = undefined;
    expect(await rejected(flows.submit("sendCode", {}, typed))).toEqual({
      reason: "IDENTITY_NOT_FOUND",
      messages: [],
      nodes: [expect.stringMatching(`^address: text! = "${email}" <- `)],
    });
  });

  test("where answers may tell sends to the only address", async () => {
    const flows = await recovery({}, friendly);
    await flows.submit("sendCode", {}, typed);
    expect(flows.flow?.data.state).toMatchObject({ at: "enter_code", sentTo: email });
  });

  test("sends again to where the name leads by then", async () => {
    const flows = await recovery();
    const person = flows.identity;
    flows.identity = undefined;
    await flows.submit("sendCode", {}, typed);
    flows.identity = person;
    flows.clock.advance(30_000);
    expect(await flows.submit("resend")).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ recipient: email, suppressed: false });
    expect(await flows.submit("code", flows.sent())).toMatchObject({ kind: "completed" });
  });

  test("sends nothing again to what is no name", async () => {
    const flows = await recovery();
    const sentAt = flows.clock.now().toISOString();
    flows.put("recovery", { at: "enter_code", sentTo: " ", sentAt } as never);
    flows.answers = {
      findForRecovery: async () => flows.identity && { ...flows.identity, unclaimed: false },
    };
    flows.clock.advance(30_000);
    expect(await flows.submit("resend")).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ suppressed: true });
  });

  test("goes back to the name, and is nobody's", async () => {
    const flows = await recovery();
    await flows.submit("sendCode", {}, typed);
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual({ at: "choose_method", typed: typed.address });
    expect(flows.flow?.identityId).toBeUndefined();
  });
});

describe("the choice of an address, where answers may tell", () => {
  /** A recovery that asks which of two addresses to send to. */
  async function choosing(name = other, step = "sendCode") {
    const flows = await recovery(two, friendly);
    await flows.submit(step, {}, { address: ` ${name} ` });
    return flows;
  }

  test("shows masks, with the one that was typed first, and counts that as a message", async () => {
    const flows = await choosing();
    expect(flows.counted).toHaveLength(1);
    expect(flows.isCountedBy("recipient_total", other)).toBe(false);
    expect(flows.flow?.identityId).toBe(flows.identity?.id);
    const flow = await flows.show();
    expect(inShort(flow)).toEqual({
      stage: "choose_address",
      texts: ["Choose an address", expect.any(String)],
      messages: [],
      nodes: ['sendCode.addressId: text! = "2"', "sendCode: [Send code]", "back: [Back] alone"],
    });
    const addresses = [
      { id: "1", masked: "a****@example.com", kind: "email" },
      { id: "2", masked: "c****@example.com", kind: "email" },
    ];
    expect(flow.stage).toMatchObject({
      offers: [
        { kind: "code", addresses },
        { kind: "link", addresses },
      ],
    });
    // The question is asked once, for what was asked for.
    const asksForLink = await choosing(other, "sendLink");
    expect(asksForLink.flow?.data.state).toMatchObject({ at: "choose_address" });
    expect(inShort(await asksForLink.show()).nodes).toEqual([
      'sendLink.addressId: text! = "2"',
      "sendLink: [Send link]",
      "back: [Back] alone",
    ]);
  });

  test("sends to the one that was chosen, and remembers the choice", async () => {
    const flows = await choosing();
    expect(await flows.submit("sendCode", { addressId: "1" })).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ recipient: email, suppressed: false });
    expect(flows.isCountedBy("mailbox", email)).toBe(false);
    expect(flows.flow?.data.state).toMatchObject({ at: "enter_code", sentTo: "a****@example.com" });
    flows.clock.advance(30_000);
    await flows.submit("resend");
    expect(flows.sent()).toMatchObject({ recipient: email, suppressed: false });
    expect(await flows.submit("code", flows.sent())).toMatchObject({ kind: "completed" });
    const back = await choosing();
    const before = back.flow?.data.state;
    await back.submit("sendLink", { addressId: "1" });
    expect(back.flow?.data.state).toMatchObject({ at: "link_sent" });
    await back.submit("back");
    expect(back.flow?.data.state).toEqual(before);
    expect(back.flow?.identityId).toBe(back.identity?.id);
  });

  test("can be given up, with what was typed", async () => {
    const flows = await choosing();
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual({ at: "choose_method", typed: other });
    expect(flows.flow?.identityId).toBeUndefined();
    expect(inShort(await flows.show()).nodes[0]).toBe(`address: text! = "${other}"`);
  });

  test.each([undefined, "", 1])("is refused without an id: %s", async (addressId) => {
    const flows = await choosing();
    expect(await rejected(flows.submit("sendCode", { addressId }))).toEqual({
      reason: "FORM_INCOMPLETE",
      messages: [],
      nodes: ['sendCode.addressId: text! = "2" <- Please fill in this field.'],
    });
  });

  // Security rule (SR-ENUM-8): only an address that the flow offered, and that still recovers.
  test.each<[string, string, (person: Identity) => Identity]>([
    ["was not offered", "3", (person) => person],
    ["is no longer verified", "1", (person) => ({ ...person, verifiableAddresses: [address(other)] })],
    ["is of an inactive account", "1", (person) => ({ ...person, state: "inactive" })],
    ["is somebody else's", "1", (person) => ({ ...person, id: "another" as Identity["id"] })],
  ])("sends nothing to an address that %s (SR-ENUM-8)", async (_, addressId, changed) => {
    const flows = await choosing();
    flows.identity = flows.identity && changed(flows.identity);
    expect(await rejected(flows.submit("sendCode", { addressId }))).toMatchObject({
      reason: "FORM_INCOMPLETE",
      nodes: [expect.stringContaining("sendCode.addressId")],
    });
    expect(flows.written.filter(({ change }) => change.messages?.length > 0)).toEqual([]);
  });

  test("sends nothing once nobody has the account", async () => {
    const flows = await choosing();
    flows.identity = undefined;
    expect(await rejected(flows.submit("sendCode", { addressId: "1" }))).toMatchObject({
      reason: "FORM_INCOMPLETE",
    });
  });

  test("is there only where there is a choice", async () => {
    const flows = await recovery({}, friendly);
    await expect(flows.submit("sendCode", { addressId: "1" }, typed)).rejects.toMatchObject({
      reason: "FEATURE_OFF",
      metadata: { field: "sendCode.addressId" },
    });
  });
});

describe("the proof of an address", () => {
  async function proving(person: Partial<Identity> = {}, purpose: object = {}) {
    const flows = await recovery(person, {}, purpose);
    await flows.submit("sendCode", {}, typed);
    return flows;
  }

  // Security rule (SR-CODE-10): it is worth nothing once the address is no longer the account's.
  test.each<[string, (person: Identity) => Identity | undefined]>([
    ["has no account any more", () => undefined],
    ["is inactive", (person) => ({ ...person, state: "inactive" })],
    ["is somebody else", (person) => ({ ...person, id: "another" as Identity["id"] })],
    ["has another address", (person) => ({ ...person, verifiableAddresses: [address(other)] })],
    ["recovers by another address", (person) => ({ ...person, recoveryAddresses: recovers(other) })],
  ])("is worth nothing once its owner %s (SR-CODE-10)", async (_, changed) => {
    const flows = await proving();
    flows.identity = flows.identity && changed(flows.identity);
    expect(await rejected(flows.submit("code", flows.sent()))).toEqual({
      reason: "CODE_INVALID",
      messages: [expect.stringContaining("code")],
      nodes: [],
    });
    expect(flows.last("completeRecovery")).toBeUndefined();
  });

  test("is worth nothing if the account goes at the same moment", async () => {
    const flows = await proving();
    flows.answers = { completeRecovery: async () => "identity_changed" };
    expect(await rejected(flows.submit("code", flows.sent()))).toMatchObject({ reason: "CODE_INVALID" });
  });

  // Security rule (SR-ACTION-1): what is asked for since the account was read comes before the session as well.
  test("gives no session at once where the account changes at the same moment (SR-ACTION-1)", async () => {
    const recoverySettings = { lifetimeMs: 3_600_000, enabled: true, sessionAtOnce: true, holdMs: 0 };
    const flows = await recovery({}, { recovery: recoverySettings });
    await flows.submit("sendCode", {}, typed);
    const given: RecoveryCompletion[] = [];
    flows.answers = {
      completeRecovery: async (_scope, completion) => {
        given.push(completion);
        return completion.session === undefined ? "completed" : "identity_changed";
      },
    };
    expect(await flows.submit("code", flows.sent())).toMatchObject({ kind: "completed" });
    expect(given.map(({ session }) => session !== undefined)).toEqual([true, false]);
    expect(given[0]?.expectedRevision).toBe(flows.identity?.revision);
    expect(given[1]?.events.map(({ type }) => type)).toEqual(["recovery.succeeded"]);
  });

  // Security rule (SR-OWNER-1): of an account that nobody has claimed it recovers nothing, but asks whose it is.
  test("in an account that nobody has claimed asks whose it is (SR-OWNER-1)", async () => {
    const flows = await recovery(unverified);
    flows.unclaimed = true;
    await flows.submit("sendCode", {}, typed);
    expect(flows.sent()).toMatchObject({ suppressed: false });
    expect(await flows.submit("code", flows.sent())).toMatchObject({ kind: "next_step" });
    expect(flows.flow?.data.state).toMatchObject({ at: "claim_account", sentTo: email });
    expect(flows.last("completeRecovery")).toBeUndefined();
    expect(await flows.submit("disown")).toMatchObject({
      kind: "completed",
      completed: { settings: { kind: "settings" }, session: undefined },
    });
  });

  test("is not wanted of the address where an operator vouches for the person", async () => {
    const flows = await proving({}, { operator: "vouches" });
    flows.identity = flows.identity && { ...flows.identity, ...unverified };
    expect(await flows.submit("code", flows.sent())).toMatchObject({ kind: "completed" });
    const sends = await proving({}, { operator: "sends" });
    sends.identity = sends.identity && { ...sends.identity, verifiableAddresses: [] };
    expect(await rejected(sends.submit("code", sends.sent()))).toMatchObject({ reason: "CODE_INVALID" });
  });
});

describe("a recovery that waits", () => {
  const hourMs = 3_600_000;
  const held = (holdMs: number) => ({
    recovery: { lifetimeMs: hourMs, enabled: true, sessionAtOnce: false, holdMs },
  });

  const later = (flows: TestFlows, ms: number) => new Date(flows.clock.now().getTime() + ms).toISOString();

  /** A flow with a code that was sent, where a recovery waits that was begun so long ago for so long. */
  async function waiting(settings: Partial<TenantSettings>, begun?: { holdMs: number; agoMs: number }) {
    const flows = await recovery({}, settings);
    if (begun !== undefined) {
      const state: OnHold = { at: "on_hold", until: later(flows, begun.holdMs - begun.agoMs), sentTo: "" };
      flows.waitingRecovery = aFlow("recovery", { data: { purpose: {}, state } });
    }
    await flows.submit("sendCode", {}, typed);
    return flows;
  }

  test("is stored beside the flow, with a link that stops it, and the code is used up", async () => {
    const flows = await waiting(held(72 * hourMs));
    expect(await flows.submit("code", flows.sent())).toMatchObject({
      kind: "next_step",
      flow: { stage: { kind: "on_hold", until: new Date(later(flows, 72 * hourMs)) } },
    });
    expect(flows.last("advance")).toMatchObject({
      challenge: undefined,
      identityId: undefined,
      begins: {
        identityId: flows.identity?.id,
        challenge: { kind: "link" },
        expiresAt: new Date(later(flows, (72 + 7 * 24) * hourMs)),
        data: { state: { at: "on_hold", sentTo: "a****@example.com", target: { value: email } } },
      },
      events: [{ type: "recovery.held" }],
    });
    expect(flows.flow?.data.state).not.toHaveProperty("target");
    expect(flows.sent()).toMatchObject({ template: "recovery_held", recipient: email });
    expect(flows.last("completeRecovery")).toBeUndefined();
    expect(await flows.submit("back")).toMatchObject({ kind: "next_step" });
    expect(inShort(await flows.show()).nodes).toContain(`address: text! = "${email}"`);
  });

  test("has no link where there is no page for it", async () => {
    const flows = await waiting({ ...held(hourMs), uiUrls: someSettings().uiUrls });
    await flows.submit("code", flows.sent());
    expect(flows.last("advance").begins.challenge).toBeUndefined();
    expect(flows.sent()).toMatchObject({ template: "recovery_held", url: "" });
  });

  // What the owner was told holds, unless the wait is switched off.
  test.each<[string, number, string]>([
    ["made shorter", 1, "next_step"],
    ["made longer", 100, "next_step"],
    ["switched off", 0, "completed"],
  ])("ends when the owner was told, after the time was %s", async (_, hours, kind) => {
    const flows = await waiting(held(hours * hourMs), { holdMs: 72 * hourMs, agoMs: 70 * hourMs });
    expect(await flows.submit("code", flows.sent())).toMatchObject({ kind });
    if (kind === "completed") return;
    expect(flows.flow?.data.state).toMatchObject({
      at: "on_hold",
      until: later(flows, 2 * hourMs),
    });
    expect(flows.last("advance").begins).toBeUndefined();
  });

  test.each([1, 100])("is over when the owner was told, with %i hours now", async (hours) => {
    const flows = await waiting(held(hours * hourMs), { holdMs: 72 * hourMs, agoMs: 72 * hourMs });
    expect(await flows.submit("code", flows.sent())).toMatchObject({ kind: "completed" });
    // It is used up by it.
    const { digest, revision } = flows.waitingRecovery ?? aFlow("recovery");
    expect(flows.last("completeRecovery").held).toContainEqual({ digest, revision });
  });

  // Security rule (SR-HOLD-4): the link that stops a recovery proves nothing, wherever it is opened.
  test("is not completed by the link that stops it (SR-HOLD-4)", async () => {
    const flows = await waiting(held(72 * hourMs));
    await flows.submit("code", flows.sent());
    flows.put("recovery", flows.last("advance").begins.data.state);
    flows.flow = { ...flows.last("advance").begins, identityId: flows.identity?.id };
    await flows.openLink();
    expect(await flows.show()).toMatchObject({ stage: { kind: "stop_recovery" } });
    await expect(flows.submit("confirmLink")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    const { at: _, until: _until, ...opened } = (flows.flow?.data.state ?? {}) as Record<string, unknown>;
    flows.flow = flows.flow && {
      ...flows.flow,
      data: { ...flows.flow.data, state: { at: "confirm_link", ...opened } },
    };
    expect(await rejected(flows.submit("confirmLink"))).toMatchObject({ reason: "CODE_INVALID" });
    expect(flows.last("completeRecovery")).toBeUndefined();
  });

  // What ends a recovery leaves a flow whose link has another digest.
  test.each<[string, (parent: FlowRecord) => FlowRecord | undefined]>([
    ["is gone", () => undefined],
    ["was completed", (parent) => ({ ...parent, state: "completed" })],
    [
      "is nobody's by now",
      (parent) => ({
        ...parent,
        challenge: parent.challenge && { ...parent.challenge, digest: Buffer.alloc(32, 9) },
      }),
    ],
    [
      "has expired",
      (parent) => ({
        ...parent,
        challenge: parent.challenge && { ...parent.challenge, expiresAt: instantOf(noon) },
      }),
    ],
  ])("is not stopped once it %s", async (_, changed) => {
    const flows = await waiting(held(72 * hourMs));
    await flows.submit("code", flows.sent());
    const parent: FlowRecord = { ...flows.last("advance").begins, identityId: flows.identity?.id };
    flows.put("recovery", parent.data.state as never);
    flows.flow = parent;
    await flows.openLink();
    flows.answers = { find: async () => changed(parent) };
    const opened = flows.flow;
    expect(await flows.submit("stopRecovery")).toMatchObject({
      kind: "rejected",
      rejection: { reason: "LINK_INVALID" },
      // Who cannot sign in goes on with a recovery of their own; what was on offer is gone.
      flow: { stage: { kind: "choose_method" }, form: { messages: [{ id: 9000467 }] } },
    });
    expect(flows.last("stopRecoveries")).toBeUndefined();
    flows.answers = {};
    flows.flow = opened;
    expect(await flows.submit("stopRecovery")).toMatchObject({ kind: "completed" });
    expect(flows.last("stopRecoveries")).toMatchObject({
      endsOperators: false,
      events: [{ type: "recovery.stopped" }],
    });
  });
});
