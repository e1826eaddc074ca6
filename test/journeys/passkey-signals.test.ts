import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginPurpose, LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import type { JsonObject } from "../../src/domain/json.ts";
import { freshEmail, logIn, register } from "../support/accounts.ts";
import { protocols, type TestApp } from "../support/app.ts";
import { Settings } from "../support/factors.ts";
import {
  addPasskey,
  beginLogin,
  credentialsOf,
  optionsOf,
  showPasskey,
  startPasskeyApp,
} from "../support/passkeys.ts";
import { SoftwareAuthenticator } from "../support/software-authenticator.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startPasskeyApp();
});
afterAll(() => app.stop());

const rpId = "id.example.com";

/** A device with a passkey that no server knows. */
function stranger(): SoftwareAuthenticator {
  const device = new SoftwareAuthenticator();
  device.create({ rp: { id: rpId }, user: { id: "dXNlcg" } });
  return device;
}

/** What a refused login says of the passkey. */
function saidOf(answer: Awaited<ReturnType<typeof showPasskey>>) {
  if (answer.outcome.case !== "rejected") throw new Error(`it was ${answer.outcome.case}`);
  expect(answer.outcome.value.reason).toBe(RejectionReason.PASSKEY_INVALID);
  const { detail } = answer.outcome.value;
  return detail.case === "passkey" ? detail.value.unknown : undefined;
}

/** What the settings say of the account's passkeys. */
function acceptedIn(flow: Flow | undefined) {
  const offers = flow?.stage.case === "changeSettings" ? flow.stage.value.offers : [];
  return offers.flatMap(({ part }) => (part.case === "passkey" ? part.value.accepted : []));
}

async function withPasskey() {
  const account = await register(app);
  const settings = new Settings(app, account.sessionToken);
  const device = new SoftwareAuthenticator();
  const { id } = await addPasskey(settings, device);
  return { ...account, settings, device, credentialId: id };
}

describe("a login that lists no passkeys", () => {
  test.each(protocols)(
    "says of one that no account has that it can be forgotten, over %s",
    async (protocol) => {
      const device = stranger();
      const flow = await beginLogin(app, protocol);
      expect(optionsOf(flow)).toMatchObject({ allowCredentials: [] });
      const said = saidOf(await showPasskey(app, flow.id, device.get(optionsOf(flow)), protocol));
      expect(said).toMatchObject({ rpId, credentialId: device.passkeys[0]?.id.toString("base64url") });
    },
  );

  test("says it of one that was removed, and not of one that an account has (SR-PASSKEY-10)", async () => {
    const { device, settings, credentialId, identity } = await withPasskey();
    const id = device.passkeys[0]?.id.toString("base64url") ?? "";
    const show = async (by = device) => {
      const flow = await beginLogin(app);
      return saidOf(await showPasskey(app, flow.id, { ...by.get(optionsOf(flow)), id, rawId: id }));
    };
    expect(await show(stranger())).toBeUndefined();
    const identityId = identity?.id ?? "";
    await settings.submit("removeCredential", { credentialId });
    expect(await show()).toMatchObject({ rpId, credentialId: id });
    const other = await withPasskey();
    await app.client(IdentityService).deactivateIdentity({ identityId: other.identity?.id ?? "" });
    const flow = await beginLogin(app);
    expect(saidOf(await showPasskey(app, flow.id, other.device.get(optionsOf(flow))))).toBeUndefined();
    await app.client(IdentityService).deleteIdentity({ identityId });
    expect(await show()).toMatchObject({ rpId });
  });
});

// Security rule (SR-PASSKEY-10): beside a list, or a name, it would tell which names exist and what is theirs.
describe("nothing is said of an unknown passkey (SR-PASSKEY-10)", () => {
  test("where it is asked for beside another proof", async () => {
    const account = await withPasskey();
    const { credentialId } = account;
    await account.settings.submit("secondFactor", { credentialId, enabled: true });
    const { flow } = await logIn(app, account.email);
    const asked = optionsOf(flow);
    expect(asked.allowCredentials).toHaveLength(1);
    expect(saidOf(await showPasskey(app, flow?.id ?? "", stranger().get(asked)))).toBeUndefined();
  });

  test("in a login of the holder of a session", async () => {
    const { sessionToken } = await withPasskey();
    const client = app.client(LoginService, { bearer: sessionToken });
    const { flow } = await client.createLoginFlow({
      client: ClientKind.NATIVE,
      purpose: LoginPurpose.REFRESH,
    });
    const answer = stranger().get(optionsOf(flow));
    expect(saidOf(await showPasskey(app, flow?.id ?? "", answer))).toBeUndefined();
  });

  test("once somebody has said who signs in, whether or not there is such an account", async () => {
    const other = await startPasskeyApp({ flows: { login: { style: "identifier_first" } } });
    try {
      const { email } = await register(other);
      const client = other.client(LoginService, { protocol: "Connect JSON" });
      const said: unknown[] = [];
      for (const identifier of [email, freshEmail(), undefined]) {
        const begun = await beginLogin(other);
        const named =
          identifier &&
          (await client.submitLoginFlow({
            flowId: begun.id,
            identifier,
            step: { case: "identify", value: {} },
          }));
        const asked = optionsOf(named ? named.flow : begun);
        expect(asked.allowCredentials).toEqual([]);
        said.push(saidOf(await showPasskey(other, begun.id, stranger().get(asked))));
      }
      // The control: before that is said, it is told.
      expect(said).toMatchObject([undefined, undefined, { rpId }]);
    } finally {
      await other.stop();
    }
  });
});

// Security rule (SR-PASSKEY-11): an authenticator hides what a list leaves out.
describe("the settings", () => {
  test.each(protocols)("say which passkeys the account has, after each change, over %s", async (protocol) => {
    const account = await register(app, { protocol });
    const settings = new Settings(app, account.sessionToken, protocol);
    const device = new SoftwareAuthenticator();
    expect(acceptedIn(await settings.begin())).toEqual([]);
    const add = async () => {
      const asked = await settings.submit("passkey");
      return (await settings.submit("passkey", { response: device.create(optionsOf(asked.flow)) })).flow;
    };
    const idsOf = () => device.passkeys.map(({ id }) => id.toString("base64url"));
    await add();
    const twice = await add();
    const userId = device.passkeys[0]?.userHandle;
    expect(acceptedIn(twice)).toMatchObject([
      { rpId, userId, name: account.email, displayName: account.email, allAcceptedCredentialIds: idsOf() },
    ]);
    // A rename of the account.
    const renamed = await settings.submit("profile", {}, { traits: { name: "Ada" } });
    expect(acceptedIn(renamed.flow)).toMatchObject([
      { userId, name: "Ada", allAcceptedCredentialIds: idsOf() },
    ]);
    const own = () =>
      settings.begin().then((flow) => credentialsOf(flow).filter(({ kind }) => kind === MethodKind.PASSKEY));
    const [first, second] = await own();
    const left = await settings.submit("removeCredential", { credentialId: first?.id });
    expect(acceptedIn(left.flow)).toMatchObject([{ userId, allAcceptedCredentialIds: idsOf().slice(1) }]);
    const none = await settings.submit("removeCredential", { credentialId: second?.id });
    expect(acceptedIn(none.flow)).toMatchObject([{ rpId, userId, allAcceptedCredentialIds: [] }]);
    expect(acceptedIn(await settings.begin())).toEqual([]);
  });
});

// Security rule (SR-PASSKEY-12): a list for a name that was only typed would tell whether there is such an account.
describe("a name that was only typed", () => {
  test.each([
    ["identifier_first", true],
    ["identifier_first", false],
    ["one_step", true],
  ] as const)(
    "lists no passkeys, with the style %s and safe answers %s (SR-PASSKEY-12)",
    async (style, isSafe) => {
      const other = await startPasskeyApp({ enumeration_safe: isSafe, flows: { login: { style } } });
      try {
        const account = await register(other);
        await addPasskey(new Settings(other, account.sessionToken), new SoftwareAuthenticator());
        const client = other.client(LoginService, { protocol: "Connect JSON" });
        const steps = {
          one_step: { case: "password", value: { password: "not the password" } },
          identifier_first: { case: "identify", value: {} },
        } as const;
        const drawn: JsonObject[] = [];
        for (const identifier of [account.email, freshEmail()]) {
          const { id: flowId } = await beginLogin(other);
          const { flow } = await client.submitLoginFlow({ flowId, identifier, step: steps[style] });
          const { challenge: _, ...options } = optionsOf(flow);
          drawn.push(options);
        }
        expect(drawn[0]).toMatchObject({ rpId, allowCredentials: [] });
        expect(drawn[1]).toEqual(drawn[0]);
      } finally {
        await other.stop();
      }
    },
  );
});
