import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

/** A wrong value of each format, and the number of the message that says so. */
const wrongFormats: readonly (readonly [format: string, value: string, id: number])[] = [
  ["date", "2026-02-30", 9000100],
  ["date-time", "2026-02-28T25:00:00Z", 9000102],
  ["time", "24:61:00Z", 9000103],
  ["uri", "no address", 9000104],
  ["uuid", "1234", 9000105],
  ["ipv4", "1.2.3", 9000105],
  ["duration", "a day", 9000105],
  ["tel", "079 123", 4000041],
];

let app: TestApp;

beforeAll(async () => {
  // Not one object, of which YAML would make an alias.
  const email = () => ({ type: "string", format: "email", ostiary: { identifier: "email" } });
  const person = { type: "object", properties: { "e.mail": email() }, required: ["e.mail"] };
  const staff = { type: "object", properties: { email: email() }, required: ["email"] };
  const formats = {
    type: "object",
    properties: {
      email: email(),
      ...Object.fromEntries(wrongFormats.map(([format]) => [format, { type: "string", format }])),
    },
  };
  app = await startTestApp({
    config: {
      tenant_defaults: {
        identity: {
          schemas: [
            { id: "person", document: person },
            { id: "formats", document: formats },
            { id: "staff", document: staff, self_service: false },
          ],
        },
      },
    },
  });
});

afterAll(() => app.stop());

test("a duplicate identifier is told at its field, also if the trait's name has a dot", async () => {
  const client = app.client(RegistrationService);
  const submit = async (address: string) => {
    const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
    const answer = await client.submitRegistrationFlow({
      flowId: flow?.id ?? "",
      traits: { "e.mail": address },
      step: { case: "password", value: { password: goodPassword } },
    });
    return { ...answer.outcome, flow: answer.flow };
  };
  const address = freshEmail();
  expect((await submit(address)).case).toBe("completed");
  const again = await submit(address);
  if (again.case !== "rejected") throw new Error(`the registration was ${again.case}`);
  const nodes = again.flow?.form?.nodes ?? [];
  const told = nodes.filter((node) => node.messages.length > 0).map((node) => node.name);
  expect(told).toEqual(["traits.e\\.mail"]);
  expect(again.flow?.form?.messages).toEqual([]);
});

test("a schema that is not for self-service is answered as one that does not exist", async () => {
  const client = app.client(RegistrationService);
  for (const schemaId of ["staff", "unknown"]) {
    const refused = await refusal(client.createRegistrationFlow({ client: ClientKind.NATIVE, schemaId }));
    expect(refused).toMatchObject({
      code: "NotFound",
      reason: "SCHEMA_NOT_FOUND",
      metadata: { schemaId },
    });
  }
});

test("a value of a wrong format is told at its field with a number for the format", async () => {
  const client = app.client(RegistrationService);
  const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE, schemaId: "formats" });
  const { outcome, flow: drawn } = await client.submitRegistrationFlow({
    flowId: flow?.id ?? "",
    traits: {
      email: "somebody",
      ...Object.fromEntries(wrongFormats.map(([format, value]) => [format, value])),
    },
    step: { case: "password", value: { password: goodPassword } },
  });
  if (outcome.case !== "rejected") throw new Error(`the registration was ${outcome.case}`);
  const told = (drawn?.form?.nodes ?? []).flatMap(({ name, messages }) =>
    messages.map(({ id, context }) => [name, id, id >= 9_000_100 ? context : {}]),
  );
  expect(told).toEqual([
    ["traits.email", 4000040, {}],
    ...wrongFormats.map(([format, , id]) => [
      `traits.${format}`,
      id,
      id === 4000041 ? {} : { property: format, format },
    ]),
  ]);
});
