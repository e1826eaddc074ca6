import { type JsonObject, toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Flow, FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, sessionTokenOf } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { openSettings } from "../support/deletion.ts";

const schema = {
  type: "object",
  required: ["email"],
  properties: {
    email: { type: "string", format: "email", ostiary: { identifier: "email" } },
    name: { type: "object", properties: { first: { type: "string" }, last: { type: "string" } } },
    note: { type: "string" },
    tags: { type: "array", items: { type: "string" } },
    pin: { type: "string", writeOnly: true },
  },
};

let app: TestApp;
beforeAll(async () => {
  const identity = { default_schema: "p", schemas: [{ id: "p", document: schema }] };
  app = await startTestApp({ config: { tenant_defaults: { identity } } });
});
afterAll(() => app.stop());

/** Somebody with two pages of their settings open. */
async function twoPages(traits: JsonObject, protocol = protocols[0]) {
  const email = freshEmail();
  const identities = app.client(IdentityService);
  const { identity } = await identities.createIdentity({
    traits: { email, ...traits },
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  const token = await sessionTokenOf(app, email);
  const page = async () => {
    const { client, flow } = await openSettings(app, token, protocol);
    return {
      flow,
      save: (patch: JsonObject, traitsEtag = flow.traitsEtag) =>
        client.submitSettingsFlow({
          ...{ flowId: flow.id, traits: patch, traitsEtag, step: { case: "profile", value: {} } },
        }),
    };
  };
  const traitsNow = async () => {
    const { email: _same, ...rest } =
      (await identities.getIdentity({ identityId: identity?.id ?? "" })).identity?.traits ?? {};
    return rest;
  };
  return { one: await page(), other: await page(), traitsNow };
}

const nodeOf = (flow: Flow | undefined, name: string) => flow?.form?.nodes.find((node) => node.name === name);

describe.each(protocols)("two pages of the same settings, over %s", (protocol) => {
  test("change different traits, and nothing is lost", async () => {
    const { one, other, traitsNow } = await twoPages({ name: { first: "A", last: "B" } }, protocol);
    expect(one.flow.traitsEtag).not.toBe("");
    expect((await other.save({ name: { first: "Ada" }, note: "x" })).outcome.case).toBe("saved");
    expect((await one.save({ name: { last: "Lovelace" }, tags: ["t"] })).outcome.case).toBe("saved");
    expect(await traitsNow()).toEqual({ name: { first: "Ada", last: "Lovelace" }, note: "x", tags: ["t"] });
  });

  test("change the same one: the second sees the new value, with what was typed beside it", async () => {
    const { one, other, traitsNow } = await twoPages({ name: { first: "A", last: "B" } }, protocol);
    await other.save({ name: { first: "Ada" } });
    const { outcome, flow } = await one.save({ name: { first: "Augusta", last: "King" }, note: "typed" });
    if (outcome.case !== "rejected") throw new Error(`it was ${outcome.case}`);
    expect(outcome.value.reason).toBe(RejectionReason.TRAITS_CHANGED);
    // Nothing of it was changed.
    expect(await traitsNow()).toEqual({ name: { first: "Ada", last: "B" } });
    const first = nodeOf(flow, "traits.name.first");
    expect(first?.kind).toMatchObject({ case: "input", value: { value: { kind: { value: "Ada" } } } });
    expect(first?.messages).toMatchObject([{ id: 9000400, context: { typed: "Augusta" } }]);
    // What nobody else has changed stays filled in.
    expect(nodeOf(flow, "traits.name.last")?.kind.value).toMatchObject({
      unsaved: true,
      value: { kind: { value: "King" } },
    });
    expect(nodeOf(flow, "traits.note")?.kind.value).toMatchObject({ value: { kind: { value: "typed" } } });
    // The form was drawn anew, so sending it again is a decision.
    const again = await one.save({ name: { first: "Augusta" } }, flow?.traitsEtag);
    expect(again.outcome.case).toBe("saved");
    expect(await traitsNow()).toEqual({ name: { first: "Augusta", last: "B" } });
  });
});

describe("an etag of traits", () => {
  test.each<[string, JsonObject, JsonObject, JsonObject, boolean]>([
    ["a list", { tags: ["a"] }, { tags: ["a", "b"] }, { tags: ["c"] }, true],
    ["a trait that came", {}, { note: "new" }, { note: "mine" }, true],
    ["a trait that went", { note: "old" }, { note: null }, { note: "mine" }, true],
    ["a trait that is to go", { note: "old" }, { note: "new" }, { note: null }, true],
    ["the same value twice", { note: "old" }, { note: "same" }, { note: "same" }, false],
    ["an object around it that came", {}, { name: { first: "A" } }, { name: { last: "B" } }, false],
    ["an object that went", { name: { first: "A" } }, { name: null }, { name: { first: "B" } }, true],
    ["what is not sent", { note: "old", tags: ["a"] }, { note: "new" }, { tags: [] }, false],
  ])("tells what changed: %s", async (_what, before, elsewhere, patch, isConflict) => {
    const { one, other } = await twoPages(before);
    expect((await other.save(elsewhere)).outcome.case).toBe("saved");
    expect((await one.save(patch)).outcome.case).toBe(isConflict ? "rejected" : "saved");
  });

  test("that is empty merges with what there is, and one that cannot be read is never an error", async () => {
    const { one, other, traitsNow } = await twoPages({ note: "old" });
    await other.save({ note: "new" });
    expect((await one.save({ note: "mine" }, "%%%")).outcome.case).toBe("rejected");
    expect((await one.save({ note: "mine" }, "")).outcome.case).toBe("saved");
    expect(await traitsNow()).toEqual({ note: "mine" });
  });

  test("says nothing of what a trait is, and a conflict nothing of one that is only written", async () => {
    const [a, b] = [await twoPages({ note: "the same" }), await twoPages({ note: "the same" })];
    const ofOnePerson = [valuesIn(a.one.flow.traitsEtag), valuesIn(a.other.flow.traitsEtag)];
    expect(ofOnePerson[0]).toHaveLength(2);
    expect(ofOnePerson[1]).toEqual(ofOnePerson[0]);
    const values = valuesIn(b.one.flow.traitsEtag);
    expect(values).toHaveLength(2);
    expect(values.filter((value) => ofOnePerson[0]?.includes(value))).toEqual([]);

    const { one, other } = await twoPages({ pin: "1" });
    await other.save({ pin: "2" });
    const { outcome, flow } = await one.save({ pin: "typed-0815" });
    expect(outcome.case).toBe("rejected");
    if (flow === undefined) throw new Error("no flow was answered");
    const pin = nodeOf(flow, "traits.pin");
    expect(pin?.messages.map(({ id }) => id)).toEqual([9000400]);
    expect(JSON.stringify(toJson(FlowSchema, flow))).not.toContain("typed-0815");
  });
});

/** The digests of the values that an etag names: after a byte, each entry is 6 bytes of a path and 8 of its value. */
function valuesIn(etag: string): string[] {
  const bytes = Buffer.from(etag, "base64url");
  const values: string[] = [];
  for (let start = 1; start < bytes.length; start += 14) {
    values.push(bytes.toString("hex", start + 6, start + 14));
  }
  return values;
}
