import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

let app: TestApp;

beforeAll(async () => {
  // Not one object, of which YAML would make an alias.
  const email = () => ({ type: "string", format: "email", ostiary: { identifier: "email" } });
  const person = { type: "object", properties: { "e.mail": email() }, required: ["e.mail"] };
  const staff = { type: "object", properties: { email: email() }, required: ["email"] };
  app = await startTestApp({
    config: {
      tenant_defaults: {
        identity: {
          schemas: [
            { id: "person", document: person },
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
    const { flow } = await client.createRegistrationFlow({ client: Client.NATIVE });
    const { outcome } = await client.submitRegistrationFlow({
      flowId: flow?.id ?? "",
      traits: { "e.mail": address },
      step: { case: "password", value: { password: goodPassword } },
    });
    return outcome;
  };
  const address = freshEmail();
  expect((await submit(address)).case).toBe("completed");
  const again = await submit(address);
  if (again.case !== "rejected") throw new Error(`the registration was ${again.case}`);
  const nodes = again.value.flow?.form?.nodes ?? [];
  const told = nodes.filter((node) => node.messages.length > 0).map((node) => node.name);
  expect(told).toEqual(["traits.e\\.mail"]);
  expect(again.value.flow?.form?.messages).toEqual([]);
});

test("a schema that is not for self-service is answered as one that does not exist", async () => {
  const client = app.client(RegistrationService);
  for (const schemaId of ["staff", "unknown"]) {
    const refused = await refusal(client.createRegistrationFlow({ client: Client.NATIVE, schemaId }));
    expect(refused).toMatchObject({
      code: "NotFound",
      reason: "SCHEMA_NOT_FOUND",
      metadata: { schema_id: schemaId },
    });
  }
});
