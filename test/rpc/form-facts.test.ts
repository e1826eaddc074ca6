import { timestampDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { ButtonImportance, type ButtonNode } from "../../gen/ostiary/flow/v1/form_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, sessionTokenOf } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { createPerson, personSchemas } from "../support/person.ts";

const native = { client: ClientKind.NATIVE } as const;
let app: TestApp;
beforeAll(async () => {
  const flows = { login: { ui_url: "https://a.example/login" } };
  app = await startTestApp({
    config: {
      tenant_defaults: { identity: { schemas: personSchemas }, flows, link: { enabled: true } },
    },
  });
});
afterAll(() => app.stop());

function buttonOf(flow: Flow | undefined, step: string): ButtonNode {
  const found = flow?.form?.nodes.find((node) => node.step === step && node.kind.case === "button");
  if (found?.kind.case !== "button") throw new Error(`the form has no button for ${step}`);
  return found.kind.value;
}

describe.each(protocols)("over %s", (protocol) => {
  test("buttons say which method they try, and none where they try none", async () => {
    const client = app.client(LoginService, { protocol });
    const { flow } = await client.createLoginFlow(native);
    expect(buttonOf(flow, "password").method).toBe(MethodKind.PASSWORD);
    expect(buttonOf(flow, "sendCode").method).toBe(MethodKind.CODE);
    expect(buttonOf(flow, "sendLink").method).toBe(MethodKind.LINK);
    const { email } = await createPerson(app);
    const sent = await client.submitLoginFlow({
      ...{ flowId: flow?.id ?? "", identifier: email, step: { case: "sendCode", value: {} } },
    });
    expect(buttonOf(sent.flow, "code").method).toBe(MethodKind.CODE);
    for (const step of ["resend", "back"]) {
      expect(buttonOf(sent.flow, step)).toMatchObject({
        ...{ method: MethodKind.UNSPECIFIED, importance: ButtonImportance.SECONDARY },
      });
    }
  });

  test.each(["sendCode", "sendLink"] as const)(
    "after %s it says in seconds how long another message is refused",
    async (step) => {
      const { email } = await createPerson(app);
      const client = app.client(LoginService, { protocol });
      const { flow } = await client.createLoginFlow(native);
      const flowId = flow?.id ?? "";
      const sent = await client.submitLoginFlow({
        flowId,
        identifier: email,
        step: { case: step, value: {} },
      });
      expect(buttonOf(sent.flow, "resend").wait).toMatchObject({ seconds: 30n, nanos: 0 });
      const get = async () => (await app.client(FlowService, { protocol }).getFlow({ flowId })).flow;
      app.clock.advance(10_500);
      expect(buttonOf(await get(), "resend").wait).toMatchObject({ seconds: 20n, nanos: 0 });
      app.clock.advance(20_000);
      expect(buttonOf(await get(), "resend").wait).toBeUndefined();
    },
  );

  test("a field for a code says how many digits one has", async () => {
    const { email } = await createPerson(app);
    const client = app.client(LoginService, { protocol });
    const { flow } = await client.createLoginFlow(native);
    const { flow: sent } = await client.submitLoginFlow({
      ...{ flowId: flow?.id ?? "", identifier: email, step: { case: "sendCode", value: {} } },
    });
    const code = sent?.form?.nodes.find(({ name }) => name === "code.code");
    expect(code?.kind).toMatchObject({ case: "input", value: { codeLength: 6, maxLength: 0 } });
  });

  test("settings say of each address whether it is verified, primary or waits", async () => {
    const { email, spare } = await createPerson(app, ["spare"]);
    const client = app.client(SettingsService, { protocol, bearer: await sessionTokenOf(app, email) });
    const { flow } = await client.createSettingsFlow(native);
    const addresses = (at: Flow | undefined) =>
      at?.stage.case === "changeSettings"
        ? at.stage.value.addresses.map(({ value, verifyTime, primary, pending, verifiable, path }) => ({
            ...{ value, verified: verifyTime && timestampDate(verifyTime) <= app.clock.now() },
            ...{ primary, pending, verifiable, path },
          }))
        : undefined;
    const own = [
      {
        ...{ value: email, path: "email", verified: undefined },
        ...{ verifiable: true, primary: false, pending: false },
      },
      {
        ...{ value: spare, path: "spare", verified: true },
        ...{ verifiable: true, primary: true, pending: false },
      },
    ];
    expect(addresses(flow)).toEqual(own);
    const said = flow?.form?.nodes.flatMap((node) =>
      node.section === "addresses" && node.kind.case === "text"
        ? [[node.label?.text, node.kind.value.text?.id]]
        : [],
    );
    expect(said).toEqual([
      [email, 9000756],
      [spare, 9000754],
    ]);

    const added = freshEmail();
    const flowId = flow?.id ?? "";
    await client.submitSettingsFlow({
      ...{ flowId, traits: { spare: added }, step: { case: "profile", value: {} } },
    });
    const back = await client.submitSettingsFlow({ flowId, step: { case: "back", value: {} } });
    const waiting = { value: added, path: "", verified: undefined, verifiable: true, primary: false };
    expect(addresses(back.flow)).toEqual([...own, { ...waiting, pending: true }]);
    // Nobody else is told of an address that is not the account's yet.
    const { identities } = await app.client(IdentityService, { protocol }).listIdentities({});
    const seen = identities.flatMap((each) => each.addresses).map(({ value }) => value);
    expect(seen).toContain(spare);
    expect(seen).not.toContain(added);
  });
});

test("the question before a deletion says how long its owner can change their mind", async () => {
  const at = async (gracePeriod: string) => {
    const deletion = { enabled: true, grace_period: gracePeriod };
    const config = { tenant_defaults: { flows: { settings: { account_deletion: deletion } } } };
    const deleting = await startTestApp({ config });
    try {
      const email = freshEmail();
      await deleting.client(IdentityService).createIdentity({
        traits: { email },
        credentials: { password: { value: { case: "password", value: goodPassword } } },
      });
      const bearer = await sessionTokenOf(deleting, email);
      const { flow } = await deleting.client(SettingsService, { bearer }).createSettingsFlow(native);
      const node = flow?.form?.nodes.find(({ step }) => step === "deleteAccount");
      return [node?.help?.text, buttonOf(flow, "deleteAccount").confirmation?.text];
    } finally {
      await deleting.stop();
    }
  };
  const [said, asked] = await at("720h");
  expect(said).toMatch(/^Deleting your account signs you out .*30 days to change your mind/);
  expect(asked).toContain("You can still change your mind for 30 days.");
  const [saidAtOnce, askedAtOnce] = await at("0s");
  expect(saidAtOnce).toMatch(/^Deleting your account .* at once/);
  expect(askedAtOnce).toContain("is erased at once");
});
