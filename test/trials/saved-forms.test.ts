// What strangers lost by saving a form that shows less than there is: mail/t18b and mail/t18e.
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { createOstiary, submit } from "../../sdk/typescript/src/index.ts";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { Caller, resultOf, tokenIn } from "../support/caller.ts";
import { untouchedForm } from "../support/filled-form.ts";

const address = () => ({
  type: "string",
  format: "email",
  ostiary: { identifier: "email", verifiable: "email", recovery: "email" },
});
const people = (id: string, properties: JsonObject, more: object = {}) => ({
  id,
  document: {
    $schema: "http://json-schema.org/draft-07/schema#",
    type: "object",
    properties: { name: { type: "string" }, ...properties },
    ...more,
  },
});
const vegetable = {
  type: "object",
  required: ["veggieName", "veggieLike"],
  properties: {
    veggieName: { type: "string" },
    veggieLike: { type: "boolean" },
    veggieAmount: { type: "number" },
  },
};
const textOrNumber = [{ type: "string" }, { type: "number" }];
const schemas = [
  people("several", { emails: { type: "array", items: address() } }),
  people(
    "lists",
    {
      email: address(),
      fruits: { type: "array", items: { type: "string" } },
      vegetables: { type: "array", items: { $ref: "#/definitions/vegetable" } },
      places: { type: "array", items: { type: "array", items: { type: "string" } } },
      tuple: { type: "array", items: [{ type: "string" }, { type: "integer" }] },
      either: { type: "array", items: { anyOf: textOrNumber } },
      free: { type: "object", additionalProperties: true },
      anything: {},
    },
    { definitions: { vegetable } },
  ),
];

let app: TestApp;
let caller: Caller;

beforeAll(async () => {
  app = await startTestApp({
    config: { tenant_defaults: { identity: { default_schema: "lists", schemas } } },
  });
  caller = new Caller(app);
});

afterAll(() => app.stop());

/** Makes an account, signs in with one of its addresses, and saves the settings form with a new name. */
async function saveWithNewName(
  schemaId: string,
  traits: JsonObject,
  addresses: readonly string[],
  by: string,
) {
  app.clock.advance(1);
  const { body } = await caller.admin("identity.v1.IdentityService/CreateIdentity", {
    schemaId,
    traits,
    verifiedAddresses: addresses.map((value) => ({ value })),
    credentials: { password: { password: goodPassword } },
  });
  const identityId: string = body.identity.id;
  const token = tokenIn(await caller.logIn(by));
  const ostiary = createOstiary({ baseUrl: app.localUrl, token: () => token });
  const { flow } = await ostiary.settings.createSettingsFlow({ client: ClientKind.NATIVE });
  if (flow === undefined) throw new Error("no flow was made");
  const filledIn = untouchedForm(flow);
  filledIn.set("traits.name", "Ada L.");
  const outcome = await submit(ostiary, flow, filledIn, "profile");
  const now = await caller.admin("identity.v1.IdentityService/GetIdentity", { identityId });
  return { outcome: outcome.kind, identity: now.body.identity };
}

describe("somebody who changes only their name", () => {
  test.each([2, 3, 7])("keeps %i addresses, verified as they were, and signs in with each", async (count) => {
    const emails = Array.from({ length: count }, freshEmail);
    const by = emails.at(-1) ?? "";
    const { outcome, identity } = await saveWithNewName("several", { emails, name: "Ada" }, emails, by);
    expect(outcome).toBe("saved");
    expect(identity.traits).toEqual({ emails, name: "Ada L." });
    const verified = identity.addresses.filter((item: { verifyTime?: string }) => item.verifyTime);
    expect(verified.map((item: { value: string }) => item.value).sort()).toEqual([...emails].sort());
    for (const email of emails) {
      expect(resultOf(await caller.logIn(email))).toBe("completed");
      const told = (await app.messages(email)).map(({ template }) => template);
      expect(told.filter((template) => template !== "login_new_device")).toEqual([]);
    }
  });

  test.each<[string, JsonObject]>([
    ["lists of texts", { fruits: ["apple", "pear", "plum"] }],
    ["an empty list", { fruits: [] }],
    [
      "lists of objects by reference",
      { vegetables: [{ veggieName: "leek", veggieLike: true, veggieAmount: 1.5 }] },
    ],
    [
      "several of them, some without a part",
      {
        vegetables: [
          { veggieName: "leek", veggieLike: false },
          { veggieName: "kale", veggieLike: true, veggieAmount: 1e-9 },
        ],
      },
    ],
    [
      "lists of lists",
      {
        places: [["a", "b"], ["c"]],
      },
    ],
    ["lists by place", { tuple: ["x", 1] }],
    ["lists of this or that", { either: ["text", 1.25, "12"] }],
    ["objects with names of their own", { free: { any: [1, { thing: true }], empty: {} } }],
    ["what the schema says nothing of", { anything: [{ deep: [null, "x"] }] }],
    [
      "everything at once",
      { fruits: ["apple", "pear"], vegetables: [{ veggieName: "leek", veggieLike: true }], tuple: ["x", 1] },
    ],
  ])("keeps %s", async (_name, more) => {
    const email = freshEmail();
    const { outcome, identity } = await saveWithNewName("lists", { email, ...more }, [email], email);
    expect(outcome).toBe("saved");
    expect(identity.traits).toEqual({ email, ...more, name: "Ada L." });
  });
});
