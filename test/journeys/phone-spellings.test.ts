import { afterAll, beforeAll, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { goodPassword, logIn } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

const document = {
  type: "object",
  properties: { phone: { type: "string", format: "tel", ostiary: { identifier: "phone" } } },
};
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({
    defaultThrottle: true,
    config: {
      tenant_defaults: { identity: { default_schema: "phones", schemas: [{ id: "phones", document }] } },
    },
  });
});

afterAll(() => app.stop());

/** A number of 650 253, in the spellings that web pages and contact apps give it. */
function spellings(last: string): readonly string[] {
  return [
    `+1 650 253 ${last}`,
    `+1 650 253\u2011${last}`,
    `+1\u2013650\u2014253\u2212${last}`,
    `\u202a+1 (650) 253-${last}\u202c`,
    `\u2066+1\u00a0650\u202f253\u2009${last}\u2069`,
    `tel:+1-650-253-${last}`,
    `＋１ ６５０ ２５３ ${last}`,
  ];
}

async function create(phone: string): Promise<void> {
  await app.client(IdentityService).createIdentity({
    traits: { phone },
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
}

test("a telephone number is one, however it is pasted into a trait", async () => {
  const [first = "", ...others] = spellings("0000");
  await create(first);
  for (const phone of others) {
    expect(await refusal(create(phone))).toMatchObject({ reason: "IDENTIFIER_TAKEN" });
  }
  expect(await refusal(create("+43 1234"))).toMatchObject({
    reason: "TRAITS_INVALID",
    fields: ["traits.phone"],
  });
});

test("and into a login, where all spellings share one counter", async () => {
  const [first = "", ...others] = spellings("0001");
  await create(others[0] ?? "");
  for (const phone of [first, ...others]) expect((await logIn(app, phone)).case).toBe("completed");

  await create(spellings("0002")[0] ?? "");
  const guesses = [...spellings("0002"), ...spellings("0002")].slice(0, 10);
  for (const phone of guesses) expect((await logIn(app, phone, "wrong")).case).toBe("rejected");
  for (const phone of spellings("0002")) {
    expect(await refusal(logIn(app, phone))).toMatchObject({ reason: "RATE_LIMITED" });
  }
});
