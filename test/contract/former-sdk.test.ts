import { readFileSync } from "node:fs";
import { createFileRegistry, type DescMethod, type DescService, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { goodPassword, register } from "../support/accounts.ts";
import { type Protocol, startTestApp, type TestApp, transportOf } from "../support/app.ts";

/*
 * A client of the contract as it was at commit 7e31192, before it was frozen: each of its calls gets a typed error or an answer
 * that is right when it is read with that contract, never a wrong success. Such a client begins
 * no flow, since the numbers of the kinds of clients are others, and what it can reach elsewhere means what it meant.
 */

const image = readFileSync(new URL("../fixtures/contract-7e31192.binpb", import.meta.url));
const former = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));

/** What says that a call was not carried out. */
const refusals = [
  ...[Code.Unimplemented, Code.InvalidArgument, Code.Unauthenticated],
  ...[Code.FailedPrecondition, Code.NotFound, Code.PermissionDenied],
];

let app: TestApp;
beforeAll(async () => {
  const settings = { account_deletion: { enabled: true } };
  app = await startTestApp({ config: { tenant_defaults: { flows: { settings } } } });
});
afterAll(() => app.stop());

interface Account {
  readonly id: string;
  readonly email: string;
  readonly token: string;
  readonly sessionId: string;
}

async function account(): Promise<Account> {
  const { email, session, sessionToken } = await register(app);
  return { id: session?.identityId ?? "", email, token: sessionToken, sessionId: session?.id ?? "" };
}

// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is known by its descriptor alone.
type Answer = any;
type Outcome = { readonly refused: Code } | { readonly answer: Answer };

function serviceOf(name: string): DescService {
  const service = [...former].find((each) => each.kind === "service" && each.name === name);
  if (service?.kind !== "service") throw new Error(`the former contract has no ${name}`);
  return service;
}

/** Calls a method as a client of the former contract does. */
async function call(protocol: Protocol, path: string, request: object, bearer?: string): Promise<Outcome> {
  const [name = "", local = ""] = path.split(".");
  const service = serviceOf(name);
  const method: DescMethod | undefined = service.method[local];
  if (method === undefined) throw new Error(`the former contract has no ${path}`);
  const isAdmin = /ApiKey|Identity|Invitation|Admin|Courier|Throttle/.test(name);
  const baseUrl = isAdmin ? app.adminUrl : app.localUrl;
  const token = bearer ?? (isAdmin ? app.apiKey : undefined);
  const client = createClient(service, transportOf(protocol, baseUrl, token)) as Record<string, Answer>;
  try {
    if (method.methodKind === "unary") return { answer: await client[local](request) };
    const answers = [];
    const requests = (async function* () {
      yield request;
    })();
    const input = method.methodKind === "server_streaming" ? request : requests;
    for await (const answer of client[local](input)) answers.push(answer);
    return { answer: answers };
  } catch (error) {
    return { refused: ConnectError.from(error).code };
  }
}

/** What is right of a method's answer, if it is not refused; without it the method must be refused. */
interface Case {
  readonly request: (who: Account) => object;
  readonly bearer?: (who: Account) => string;
  readonly right?: (answer: Answer, who: Account) => void;
}

/** A password; in JSON its name has changed, and an unknown name is read as no statement. */
const passwordKinds = [1, 0];
const own = (who: Account) => who.token;
const flowId = "ost_flw_0000000000000000000000000000000000000000000";
const uuid = "0197a000-0000-7000-8000-000000000000";
const isOwnSession = (answer: Answer, who: Account) => {
  expect(answer.session).toMatchObject({ id: who.sessionId, identityId: who.id, assuranceLevel: 1 });
  expect(Number(answer.session.expireTime.seconds)).toBeGreaterThan(app.clock.now().getTime() / 1000);
  expect(answer.session.revokeTime).toBeUndefined();
};
const isOwnIdentity = (answer: Answer, who: Account) => {
  expect(answer.identity).toMatchObject({ id: who.id, traits: { email: who.email }, schemaId: "default" });
  expect(answer.identity.deleteTime).toBeUndefined();
};

const submit = (step: object) => ({ request: () => ({ flowId, ...step }) });
const cases: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(
    ["Login", "Registration", "Recovery", "Settings", "Verification"].flatMap((kind) => [
      [`${kind}Service.create${kind}Flow`, { request: () => ({ client: 2 }), bearer: own }],
      [`${kind}Service.get${kind}Flow`, { request: () => ({ flowId }), bearer: own }],
      [`${kind}Service.submit${kind}Flow`, submit({ step: { case: "code", value: { code: "123456" } } })],
    ]),
  ),
  "SessionService.getCurrentSession": {
    request: () => ({}),
    bearer: own,
    right: (answer, who) => {
      isOwnSession(answer, who);
      if (answer.identity !== undefined) isOwnIdentity(answer, who);
    },
  },
  "SessionService.checkSession": {
    request: ({ token }) => ({ credential: { case: "token", value: token } }),
    right: isOwnSession,
  },
  "SessionService.listSessions": { request: () => ({}), bearer: own },
  "SessionService.revokeSession": { request: ({ sessionId }) => ({ sessionId }), bearer: own },
  "SessionService.revokeOtherSessions": {
    request: () => ({}),
    bearer: own,
    right: ({ revokedCount }) => expect(revokedCount).toBe(0),
  },
  "SessionService.logout": { request: () => ({}), bearer: own, right: () => {} },
  "SessionService.extendSession": { request: () => ({}), bearer: own },
  "SessionService.listOwnLogins": { request: () => ({}), bearer: own },
  "SessionAdminService.listSessions": {
    request: ({ id }) => ({ identityId: id }),
    right: ({ sessions: [session] }, who) => isOwnSession({ session }, who),
  },
  "SessionAdminService.getSession": { request: ({ sessionId }) => ({ sessionId }), right: isOwnSession },
  "SessionAdminService.revokeSession": { request: ({ sessionId }) => ({ sessionId }), right: () => {} },
  "SessionAdminService.revokeIdentitySessions": {
    request: ({ id }) => ({ identityId: id }),
    right: ({ revokedCount }) => expect(revokedCount).toBe(1),
  },
  "SessionAdminService.extendSession": { request: ({ sessionId }) => ({ sessionId }), right: isOwnSession },
  "IdentityService.getIdentity": { request: ({ id }) => ({ identityId: id }), right: isOwnIdentity },
  "IdentityService.createIdentity": {
    request: ({ email }) => ({ traits: { email: `new-${email}` }, verifiedAddresses: [`new-${email}`] }),
  },
  "IdentityService.updateIdentity": {
    request: ({ id, email }) => ({ identityId: id, traits: { email }, externalId: `x-${id}` }),
    right: (answer, who) => {
      isOwnIdentity(answer, who);
      expect(answer.identity.externalId).toBe(`x-${who.id}`);
    },
  },
  "IdentityService.deleteCredential": { request: ({ id }) => ({ identityId: id, kind: 1 }) },
  "IdentityService.listCredentials": {
    request: ({ id }) => ({ identityId: id }),
    right: ({ credentials: [credential] }) => expect(passwordKinds).toContain(credential.kind),
  },
  "IdentityService.checkPassword": {
    request: ({ id }) => ({ identityId: id, password: goodPassword }),
    right: ({ matches }) => expect(matches).toBe(true),
  },
  "IdentityService.listLoginHistory": {
    request: ({ id }) => ({ identityId: id }),
    right: ({ records }, who) =>
      expect(records).toMatchObject([{ outcome: 1, sessionId: who.sessionId, refresh: false }]),
  },
  "IdentityService.createRecoveryLink": {
    request: ({ id }) => ({ identityId: id, lifetime: { seconds: 3600n } }),
    right: ({ expireTime }) =>
      expect(Number(expireTime.seconds)).toBe(app.clock.now().getTime() / 1000 + 3600),
  },
  "IdentityService.sendRecoveryMessages": { request: ({ id }) => ({ identityIds: [id] }) },
  "IdentityService.sendVerificationMessages": { request: ({ id }) => ({ identityIds: [id] }) },
  "IdentitySchemaService.listIdentitySchemas": { request: () => ({}) },
  "IdentitySchemaService.getIdentitySchema": { request: () => ({ schemaId: "default", version: 1 }) },
  "IdentityService.lookUpIdentity": {
    request: ({ email }) => ({ by: { case: "identifier", value: email } }),
    right: isOwnIdentity,
  },
  "IdentityService.listIdentities": {
    request: () => ({ pageSize: 1 }),
    right: ({ identities }) => expect(identities).toHaveLength(1),
  },
  "IdentityService.activateIdentity": {
    request: ({ id }) => ({ identityId: id }),
    right: (answer, who) => {
      isOwnIdentity(answer, who);
      expect(answer.identity.state).toBe(1);
    },
  },
  "IdentityService.deactivateIdentity": {
    request: ({ id }) => ({ identityId: id }),
    right: (answer, who) => {
      isOwnIdentity(answer, who);
      expect(answer.identity.state).toBe(2);
    },
  },
  "IdentityService.deleteIdentity": { request: ({ id }) => ({ identityId: id }), right: () => {} },
  "IdentityService.cancelIdentityDeletion": {
    request: ({ id }) => ({ identityId: id }),
    right: isOwnIdentity,
  },
  "IdentityService.batchCreateIdentities": {
    request: () => ({ identities: [{ traits: { email: "nothing" } }] }),
    // One of a batch that is refused says so, with its reason.
    right: ({ results: [result] }) => {
      expect(result.result.case).toBe("error");
      expect(result.result.value.errorInfo.reason).toBe("TRAITS_INVALID");
      expect(result.result.value.message).not.toBe("");
    },
  },
  "IdentityService.setPassword": {
    request: ({ id }) => ({
      identityId: id,
      password: { value: { case: "password", value: `${goodPassword} 2` } },
    }),
    right: ({ credential }) => expect(passwordKinds).toContain(credential.kind),
  },
  "IdentityService.sendRecoveryMessage": {
    request: ({ id }) => ({ identityId: id }),
    right: ({ address }, { email }) => expect(address).toBe(email),
  },
  "IdentityService.sendVerificationMessage": {
    request: ({ id }) => ({ identityId: id }),
    right: ({ address }, { email }) => expect(address).toBe(email),
  },
  "InvitationService.createInvitation": {
    request: ({ email }) => ({ address: `new-${email}`, lifetime: { seconds: 3600n } }),
    right: ({ invitation }, { email }) => {
      expect(invitation.address).toBe(`new-${email}`);
      expect(Number(invitation.expireTime.seconds)).toBe(app.clock.now().getTime() / 1000 + 3600);
    },
  },
  "InvitationService.listInvitations": {
    request: () => ({ address: "nobody@example.com" }),
    right: ({ invitations }) => expect(invitations).toEqual([]),
  },
  "InvitationService.revokeInvitation": { request: () => ({ invitationId: uuid }) },
  "CourierService.listMessages": {
    request: () => ({ recipient: "nobody@example.com" }),
    right: ({ messages }) => expect(messages).toEqual([]),
  },
  "CourierService.retryMessage": { request: () => ({ messageId: uuid }) },
  "CourierService.readdressMessage": {
    request: () => ({ messageId: uuid, recipient: "nobody@example.com" }),
  },
  "ApiKeyService.createApiKey": {
    request: () => ({ name: "reader", scopes: ["identity:read"] }),
    right: ({ apiKey, secret }) => {
      expect(apiKey).toMatchObject({ name: "reader", scopes: ["identity:read"] });
      expect(secret).toMatch(/^ost_/);
    },
  },
  "ApiKeyService.listApiKeys": {
    request: () => ({}),
    right: ({ apiKeys }) => expect(apiKeys.length).toBeGreaterThan(0),
  },
  "ThrottleService.explainThrottle": {
    request: () => ({ identifier: "nobody@example.com", address: "192.0.2.1" }),
    right: ({ loginAllowed }) => expect(loginAllowed).toBe(true),
  },
  "ThrottleService.resetThrottle": {
    request: () => ({ identifier: "nobody@example.com" }),
    right: ({ resetCount }) => expect(resetCount).toBe(0),
  },
  "InvitationService.getInvitation": { request: () => ({ invitationId: uuid }) },
  "CourierService.getMessage": { request: () => ({ messageId: uuid }) },
  "ApiKeyService.revokeApiKey": { request: () => ({ apiKeyId: uuid }) },
};

test("each call of the former contract is among the cases", () => {
  const calls = [...former].flatMap((each) =>
    each.kind === "service" && each.typeName.startsWith("ostiary.")
      ? each.methods.map(({ localName }) => `${each.name}.${localName}`)
      : [],
  );
  expect(Object.keys(cases).sort()).toEqual(calls.sort());
});

/** The calls that are answered in every codec, and not refused. */
const answeredEverywhere = [
  "ApiKeyService.createApiKey",
  "ApiKeyService.listApiKeys",
  "CourierService.listMessages",
  "IdentityService.checkPassword",
  "IdentityService.createRecoveryLink",
  "IdentityService.deleteIdentity",
  "IdentityService.listCredentials",
  "IdentityService.listLoginHistory",
  "IdentityService.setPassword",
  "InvitationService.createInvitation",
  "InvitationService.listInvitations",
  "SessionAdminService.extendSession",
  "SessionAdminService.getSession",
  "SessionAdminService.listSessions",
  "SessionAdminService.revokeIdentitySessions",
  "SessionAdminService.revokeSession",
  "SessionService.checkSession",
  "SessionService.getCurrentSession",
  "SessionService.logout",
  "SessionService.revokeOtherSessions",
  "ThrottleService.resetThrottle",
];

/** Those beside them in binary. In JSON their answers, or what is asked, have names that the other contract does not know. */
const answeredInBinary = [
  "IdentityService.activateIdentity",
  "IdentityService.cancelIdentityDeletion",
  "IdentityService.deactivateIdentity",
  "IdentityService.getIdentity",
  "IdentityService.listIdentities",
  "IdentityService.lookUpIdentity",
  "IdentityService.updateIdentity",
  "ThrottleService.explainThrottle",
];

describe.each<Protocol>(["Connect JSON", "Connect binary", "gRPC"])("over %s", (protocol) => {
  const answered: string[] = [];

  test.each(Object.keys(cases))("%s gets a typed error or a right answer", async (path) => {
    const { request, bearer, right } = cases[path] as Case;
    const who = await account();
    const outcome = await call(protocol, path, request(who), bearer?.(who));
    if ("refused" in outcome) expect(refusals).toContain(outcome.refused);
    else if (right === undefined) throw new Error(`it was answered: ${JSON.stringify(outcome.answer)}`);
    else {
      answered.push(path);
      right(outcome.answer, who);
    }
  });

  // What would be refused where it was answered is no wrong success, but no use to such a client either.
  test("these are the calls that are answered", () => {
    const expected = [...answeredEverywhere, ...(protocol === "Connect JSON" ? [] : answeredInBinary)];
    expect(answered.sort()).toEqual(expected.sort());
  });

  // Security rule (SR-SESSION-4): a demand that is not understood is not left out.
  test.each<[string, object]>([
    ["a level that the session does not have", { requiredAssuranceLevel: 2 }],
    ["an age", { maxAuthenticationAge: { seconds: 1n } }],
    ["an age of fractions", { maxAuthenticationAge: { seconds: 2n, nanos: 5 } }],
    ["both", { requiredAssuranceLevel: 2, maxAuthenticationAge: { seconds: 60n }, view: 2 }],
  ])("a check that demands %s lets nobody in", async (_, demands) => {
    const who = await account();
    app.clock.advance(120_000);
    const request = { credential: { case: "token", value: who.token }, ...demands };
    const outcome = await call(protocol, "SessionService.checkSession", request);
    expect(outcome).toEqual({ refused: Code.InvalidArgument });
    const { session } = await app.client(SessionService).checkSession({ token: who.token });
    expect(session?.id).toBe(who.sessionId);
  });
});

describe.each<Protocol>(["Connect binary", "gRPC"])("over %s", (protocol) => {
  // Security rule (SR-CODE-4): what stood for a code must not delete an account.
  test.each(["code", "resend", "back", "profile", "password", "resume", "deleteAccount", "keepAccount"])(
    "the step %s of a flow that is there is refused",
    async (step) => {
      const who = await account();
      const settings = app.client(SettingsService, { bearer: who.token });
      const { flow } = await settings.createSettingsFlow({ client: ClientKind.NATIVE });
      const request = { flowId: flow?.id, traits: {}, step: { case: step, value: {} } };
      const outcome = await call(protocol, "SettingsService.submitSettingsFlow", request, who.token);
      // It got the flow from somebody else: a former client begins none. What it then makes of the answer is no success.
      expect([...refusals, Code.Internal]).toContain("refused" in outcome ? outcome.refused : undefined);
      const { identity } = await app.client(IdentityService).getIdentity({ identityId: who.id });
      expect(identity?.purgeTime).toBeUndefined();
    },
  );

  test("a password for a login that is there is refused", async () => {
    const who = await account();
    const { flow } = await app.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
    const step = { case: "password", value: { password: goodPassword } };
    const request = { flowId: flow?.id, identifier: who.email, step };
    const outcome = await call(protocol, "LoginService.submitLoginFlow", request);
    expect(outcome).toEqual({ refused: Code.InvalidArgument });
  });
});
