import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { InvitationService } from "../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { freshEmail } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

const document = {
  type: "object",
  properties: {
    id: { type: "number" },
    email: { type: "string", format: "email", ostiary: { identifier: "email" } },
  },
};
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({
    config: {
      tenant_defaults: { identity: { default_schema: "open", schemas: [{ id: "open", document }] } },
    },
  });
});

afterAll(() => app.stop());

const large = 2 ** 60;

describe.each(protocols)("over %s a whole number beyond 2^53 is refused by its field", (protocol) => {
  const violation = (field: string) => ({
    violations: [expect.objectContaining({ field, reason: "RANGE" })],
  });

  test("in traits and metadata of an identity, new or changed, and in the filter of a list", async () => {
    const client = app.client(IdentityService, { protocol });
    const email = freshEmail();
    expect(await refusal(client.createIdentity({ traits: { email, id: large } }))).toMatchObject({
      reason: "TRAITS_INVALID",
      ...violation("traits.id"),
    });
    const metadata = { discord: [{ id: -large }] };
    expect(
      await refusal(client.createIdentity({ traits: { email }, publicMetadata: metadata })),
    ).toMatchObject({ reason: "REQUEST_INVALID", ...violation("publicMetadata.discord.0.id") });

    const kept = { id: 2 ** 53 - 1, text: "9007199254740993", share: 0.1 };
    const { identity } = await client.createIdentity({ traits: { email, ...kept }, adminMetadata: kept });
    expect(identity).toMatchObject({ traits: { email, ...kept }, adminMetadata: kept });
    const identityId = identity?.id ?? "";
    const { identity: unchanged } = await client.getIdentity({ identityId });
    expect(unchanged?.adminMetadata).toEqual(kept);
    expect(
      await refusal(
        client.updateIdentity({
          identityId,
          adminMetadataChange: { case: "adminMetadata", value: { id: large } },
        }),
      ),
    ).toMatchObject({
      reason: "REQUEST_INVALID",
      ...violation("adminMetadata.id"),
    });
    const filter = { path: "id", value: { kind: { case: "numberValue", value: large } } } as const;
    expect(await refusal(client.listIdentities({ traits: [filter] }))).toMatchObject({
      reason: "REQUEST_INVALID",
      ...violation("traits.0.value"),
    });
  });

  test("in an invitation, and in the form of a registration", async () => {
    const invitations = app.client(InvitationService, { protocol });
    expect(await refusal(invitations.createInvitation({ adminMetadata: { id: large } }))).toMatchObject(
      violation("adminMetadata.id"),
    );
    const client = app.client(RegistrationService, { protocol });
    const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
    const { outcome, flow: drawn } = await client.submitRegistrationFlow({
      flowId: flow?.id ?? "",
      traits: { email: freshEmail(), id: large },
      step: { case: "password", value: { password: "correct horse battery" } },
    });
    if (outcome.case !== "rejected") throw new Error(`the registration was ${outcome.case}`);
    const told = drawn?.form?.nodes.find(({ name }) => name === "traits.id")?.messages;
    expect(told?.map(({ id }) => id)).toEqual([9000101]);
  });
});

describe("a number of JSON text that a double cannot hold", () => {
  const create = async (number: string) => {
    const response = await fetch(`${app.adminUrl}/ostiary.identity.v1.IdentityService/CreateIdentity`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${app.apiKey}` },
      body: `{"traits":{"email":"${freshEmail()}"},"adminMetadata":{"id":${number}}}`,
    });
    return { status: response.status, body: await response.text() };
  };

  test.each([
    ["9007199254740993", /"RANGE"/],
    ["175928847299117063", /"RANGE"/],
    ["-10000000000000000999", /"RANGE"/],
    ["1e-999", /too small to be kept; write it as a string/],
    ["1e400", /adminMetadata/],
  ])("%s is refused", async (number, says) => {
    const { status, body } = await create(number);
    expect(status).toBe(400);
    expect(body).toMatch(says);
  });

  test.each(["9007199254740991", "-9007199254740991", "1.5", "1e3", "0e-999", '"1e-999"'])(
    "%s is kept",
    async (number) => {
      const { status, body } = await create(number);
      expect(status).toBe(200);
      expect((JSON.parse(body) as { identity: { adminMetadata: unknown } }).identity.adminMetadata).toEqual({
        id: JSON.parse(number),
      });
    },
  );
});
