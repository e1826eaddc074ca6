import { describe, expect, test } from "vitest";
import { appUrl, inShort, rejected, TestFlows } from "../../../../test/support/flows.ts";
import { noon } from "../../../../test/support/records.ts";
import type { Identity } from "../../identity/identity.ts";
import type { TenantSettings } from "../../tenant/tenant.ts";

const email = "ada@example.com";
const typed = { address: email };
const unverified = {
  verifiableAddresses: [{ kind: "email", value: email, path: "email", verifiedAt: undefined }],
} as const;

/** A verification, where Ada's address is not verified unless something else is said. */
async function verification(person: Partial<Identity> = unverified, settings: Partial<TenantSettings> = {}) {
  const flows = await TestFlows.make(settings);
  await flows.person(person);
  flows.put("verification", { at: "choose_method" }, { returnTo: appUrl });
  return flows;
}

const wrongCode = ({ code }: { readonly code: string }) => ({
  code: code === "000000" ? "111111" : "000000",
});

describe("a verification", () => {
  test("asks for an address", async () => {
    const flows = await verification();
    const flow = await flows.show();
    expect(inShort(flow)).toEqual({
      stage: "choose_method",
      texts: ["Verify your address", "We'll send a message to it, to make sure it's yours."],
      messages: [],
      nodes: ['address: text! = ""', "sendCode: [Send code]", "sendLink: [Send link]"],
    });
    expect(flow.stage).toMatchObject({ offers: [{ kind: "code" }, { kind: "link" }] });
  });

  test.each([
    ["", "Please fill in this field."],
    ["ada", "Enter a valid email address"],
  ])("refuses '%s', and keeps what was typed", async (address, message) => {
    const flows = await verification();
    expect(await rejected(flows.submit("sendCode", {}, { address }))).toEqual({
      reason: "FORM_INCOMPLETE",
      messages: [],
      nodes: [expect.stringMatching(`^address: text! = "${address}" <- .*${message}`)],
    });
  });

  test("sends a code to the address, and is completed by it", async () => {
    const flows = await verification();
    expect(await flows.submit("sendCode", {}, { address: ` ${email} ` })).toMatchObject({
      kind: "next_step",
    });
    expect(flows.sent()).toMatchObject({
      template: "verification_code",
      recipient: email,
      suppressed: false,
    });
    expect(inShort(await flows.show())).toEqual({
      stage: "enter_code",
      texts: ["Enter the code", `Check your messages at ${email}.`],
      messages: [expect.stringContaining(email)],
      nodes: [
        "code.code: code!",
        "code: [Continue]",
        "resend: [Resend code] alone",
        "back: [Use another address] alone",
      ],
    });
    const later = (ms: number) => new Date(flows.clock.now().getTime() + ms);
    expect((await flows.show()).stage).toEqual({
      kind: "enter_code",
      sentTo: email,
      expiresAt: later(600_000),
      resendAt: later(30_000),
      codeLength: 6,
      longCodeLength: 20,
    });
    expect(await flows.submit("code", flows.sent())).toMatchObject({
      kind: "completed",
      completed: { returnTo: appUrl, verifiedAddress: email, settings: undefined },
    });
    expect(flows.last("completeVerification")).toMatchObject({
      target: { kind: "email", value: email, identityId: flows.identity?.id },
    });
  });

  test("by a link waits for it, and is completed by one click", async () => {
    const flows = await verification();
    await flows.submit("sendLink", {}, typed);
    expect(inShort(await flows.show())).toEqual({
      stage: "link_sent",
      texts: ["Open the link", `Check your messages at ${email}, on this device or any other.`],
      messages: [expect.stringContaining(email)],
      nodes: ["resend: [Resend link] alone", "back: [Use another address] alone"],
    });
    await expect(flows.submit("confirmLink")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    expect((await flows.show()).stage).toMatchObject({ kind: "link_sent", sentTo: email });
    await flows.openLink();
    expect((await flows.show()).stage).toEqual({ kind: "confirm_link", address: "a****@example.com" });
    expect(await flows.submit("confirmLink")).toMatchObject({
      kind: "completed",
      completed: { verifiedAddress: "a****@example.com" },
    });
  });

  // Security rule (SR-ENUM-1): nothing tells whether somebody has the address, or whether it is verified.
  test.each<[string, Partial<Identity> | undefined]>([
    ["nobody has", undefined],
    ["is verified already", {}],
    ["somebody has who is inactive", { ...unverified, state: "inactive" }],
    ["only signs in", { verifiableAddresses: [] }],
  ])("sends nothing to an address that %s, and answers alike (SR-ENUM-1)", async (_, person) => {
    const flows = await verification(person);
    if (person === undefined) flows.identity = undefined;
    else flows.answers = { findByAddress: async () => flows.identity };
    expect(await flows.submit("sendCode", {}, typed)).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ recipient: email, suppressed: true });
    expect(flows.flow?.identityId).toBeUndefined();
    expect(await rejected(flows.submit("code", flows.sent()))).toMatchObject({ reason: "CODE_INVALID" });
  });

  test("of one of several addresses proves that one", async () => {
    const other = { kind: "email", value: "other@example.com", path: "other", verifiedAt: noon } as const;
    const flows = await verification({ verifiableAddresses: [...unverified.verifiableAddresses, other] });
    await flows.submit("sendCode", {}, { address: other.value });
    expect(flows.sent()).toMatchObject({ suppressed: true });
    const phone = { kind: "phone", value: email, path: "phone", verifiedAt: undefined } as const;
    const spelledAlike = await verification({ verifiableAddresses: [phone] });
    spelledAlike.answers = { findByAddress: async () => spelledAlike.identity };
    await spelledAlike.submit("sendCode", {}, typed);
    expect(spelledAlike.sent()).toMatchObject({ suppressed: true });
  });

  test.each<[string, Partial<Identity> | undefined, string]>([
    ["nobody has", undefined, "IDENTITY_NOT_FOUND"],
    ["somebody has who is inactive", { ...unverified, state: "inactive" }, "IDENTITY_NOT_FOUND"],
  ])("where answers may tell says of an address that %s that there is none", async (_, person, reason) => {
    const flows = await verification(person, { enumerationSafe: false });
    if (person === undefined) flows.identity = undefined;
    expect(await rejected(flows.submit("sendCode", {}, typed))).toEqual({
      reason,
      messages: [],
      nodes: [expect.stringMatching(`^address: text! = "${email}" <- `)],
    });
  });

  test("where answers may tell sends to an address that somebody has", async () => {
    const flows = await verification(unverified, { enumerationSafe: false });
    expect(await flows.submit("sendCode", {}, typed)).toMatchObject({ kind: "next_step" });
  });

  test("sends again to whose the address is by then", async () => {
    const flows = await verification();
    const person = flows.identity;
    flows.identity = undefined;
    await flows.submit("sendCode", {}, typed);
    flows.clock.advance(29_999);
    expect(await rejected(flows.submit("resend"))).toMatchObject({ reason: "RESEND_TOO_EARLY" });
    flows.clock.advance(1);
    flows.identity = person;
    expect(await flows.submit("resend")).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ recipient: email, suppressed: false });
    expect(flows.flow?.identityId).toBe(person?.id);
    expect(await flows.submit("code", flows.sent())).toMatchObject({ kind: "completed" });
  });

  test("sends no link again where links are switched off by now, and a code all the same", async () => {
    for (const [step, isOffered] of [
      ["sendCode", true],
      ["sendLink", false],
    ] as const) {
      const flows = await verification();
      await flows.submit(step, {}, typed);
      flows.clock.advance(30_000);
      const { settings } = flows.tenant;
      const off = {
        code: { ...settings.code, enabledFor: new Set<never>() },
        link: { ...settings.link, enabledFor: new Set<never>() },
      };
      const tenant = { ...flows.tenant, settings: { ...settings, ...off } };
      const again = flows.submit("resend", {}, {}, flows.caller({ tenant }));
      if (isOffered) expect(await again).toMatchObject({ kind: "next_step" });
      else await expect(again).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    }
  });

  test("sends nothing again to what is no address", async () => {
    const flows = await verification();
    await flows.submit("sendCode", {}, typed);
    const { flow } = flows;
    if (flow)
      flows.flow = { ...flow, data: { ...flow.data, state: { ...flow.data.state, sentTo: "ada" } as never } };
    flows.answers = { findByAddress: async () => flows.identity };
    flows.clock.advance(30_000);
    expect(await flows.submit("resend")).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ suppressed: true });
  });

  test("whose code was taken back shows one that has expired", async () => {
    const flows = await verification();
    const sentAt = flows.clock.now();
    flows.put("verification", { at: "enter_code", sentTo: email, sentAt: sentAt.toISOString() } as never);
    expect((await flows.show()).stage).toMatchObject({ expiresAt: sentAt });
  });

  test("goes back to the address, and is nobody's", async () => {
    const flows = await verification();
    await flows.submit("sendCode", {}, typed);
    expect(flows.flow?.identityId).toBe(flows.identity?.id);
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual({ at: "choose_method", typed: typed.address });
    expect(flows.flow?.identityId).toBeUndefined();
  });

  test("records nothing of a wrong code", async () => {
    const flows = await verification();
    await flows.submit("sendCode", {}, typed);
    expect(await rejected(flows.submit("code", wrongCode(flows.sent())))).toMatchObject({
      reason: "CODE_INVALID",
    });
    expect(flows.last("keepOutcome")).toBeUndefined();
  });

  test("whose address is gone by then is refused like a wrong code", async () => {
    const flows = await verification();
    await flows.submit("sendCode", {}, typed);
    flows.answers = { completeVerification: async () => "address_gone" };
    expect(await rejected(flows.submit("code", flows.sent()))).toEqual({
      reason: "CODE_INVALID",
      messages: [expect.stringContaining("code")],
      nodes: [],
    });
  });

  // Security rule (SR-OWNER-2): the owner of the address is asked before it counts for an account that nobody has claimed.
  test("of an unclaimed account asks whose it is (SR-OWNER-2)", async () => {
    const flows = await verification();
    await flows.submit("sendCode", {}, typed);
    flows.answers = { completeVerification: async () => "unclaimed" };
    expect(await flows.submit("code", flows.sent())).toMatchObject({ kind: "next_step" });
    expect(flows.flow).toMatchObject({
      identityId: undefined,
      data: { state: { at: "claim_account", sentTo: email, by: "code" } },
    });
    expect(await flows.submit("disown")).toMatchObject({
      kind: "completed",
      completed: { verifiedAddress: email, settings: { kind: "settings" } },
    });
  });
});
