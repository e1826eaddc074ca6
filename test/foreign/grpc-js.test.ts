import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { watchKey } from "../support/watch.ts";

interface Answer {
  [field: string]: Answer & string;
}
type Unary = (
  request: object,
  metadata: grpc.Metadata,
  done: (error: grpc.ServiceError | null, answer: Answer) => void,
) => void;

type ServerStream = (request: object, metadata: grpc.Metadata) => grpc.ClientReadableStream<Answer>;

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({ config: { tenant_defaults: { link: { enabled: true } } } });
});

afterAll(() => app.stop());

function load(file: string, name: string, address: string) {
  const definition = loadSync(`ostiary/${file}.proto`, {
    includeDirs: ["proto", ".cache/proto", "node_modules/google-proto-files"],
    keepCase: false,
    enums: String,
    oneofs: true,
  });
  const Service = definition[name];
  if (Service === undefined) throw new Error(`${name} is not in the proto files`);
  const Client = grpc.makeGenericClientConstructor(Service as grpc.ServiceDefinition, name);
  const client = new Client(address, grpc.credentials.createInsecure());
  const call = (method: string, request: object, bearer?: string) => {
    const metadata = new grpc.Metadata();
    if (bearer !== undefined) metadata.set("authorization", `Bearer ${bearer}`);
    const unary = client[method] as unknown as Unary;
    return new Promise<Answer>((resolve, reject) => {
      unary.call(client, request, metadata, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
  };
  const stream = (method: string, request: object, bearer: string) => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${bearer}`);
    const open = client[method] as unknown as ServerStream;
    return open.call(client, request, metadata);
  };
  return { call, stream, close: () => client.close() };
}

test("@grpc/grpc-js, with nothing but the proto files, registers, logs in and checks the session", async () => {
  const address = new URL(app.localUrl).host;
  const registration = load("flow/v1/registration_service", "ostiary.flow.v1.RegistrationService", address);
  const login = load("flow/v1/login_service", "ostiary.flow.v1.LoginService", address);
  const sessions = load("session/v1/session_service", "ostiary.session.v1.SessionService", address);
  try {
    const email = freshEmail();
    const fields = { email: { stringValue: email } };
    const created = await registration.call("CreateRegistrationFlow", { client: "CLIENT_KIND_NATIVE" });
    const registered = await registration.call("SubmitRegistrationFlow", {
      flowId: created.flow?.id,
      traits: { fields },
      password: { password: goodPassword },
    });
    expect(registered.outcome).toBe("completed");
    const begun = await login.call("CreateLoginFlow", { client: "CLIENT_KIND_NATIVE" });
    const done = await login.call("SubmitLoginFlow", {
      flowId: begun.flow?.id,
      identifier: email,
      password: { password: goodPassword },
    });
    const token = done.completed?.signedIn?.sessionToken ?? "";
    const checked = await sessions.call("CheckSession", { token });
    expect(checked.session?.identityId).toBe(registered.completed?.signedIn?.identity?.id);
    const current = await sessions.call("GetCurrentSession", {}, token);
    expect(current.session?.id).toBe(checked.session?.id);

    const refused = await sessions.call("CheckSession", { token: "nonsense" }).then(
      () => undefined,
      (error: grpc.ServiceError) => error,
    );
    expect(refused?.code).toBe(grpc.status.UNAUTHENTICATED);
    const details = refused?.metadata.get("grpc-status-details-bin")[0];
    expect(Buffer.isBuffer(details) ? details.toString("latin1") : "").toContain("SESSION_TOKEN_MALFORMED");
  } finally {
    for (const client of [registration, login, sessions]) client.close();
  }
});

test("@grpc/grpc-js has links sent to a list of identities", async () => {
  const address = new URL(app.adminUrl).host;
  const identities = load("identity/v1/identity_service", "ostiary.identity.v1.IdentityService", address);
  try {
    const email = freshEmail();
    const { identity } = await app.client(IdentityService).createIdentity({ traits: { email } });
    const request = { requestId: "list", identityIds: [identity?.id] };
    const { results } = await identities.call("BatchSendVerificationMessages", request, app.apiKey);
    expect(results).toMatchObject([{ identityId: identity?.id, result: "sent", sent: { address: email } }]);
    expect((await app.messages(email)).map(({ template }) => template)).toEqual(["verification_link"]);

    const refused = await identities.call("BatchSendRecoveryMessages", request, "ost_key_nobody").then(
      () => undefined,
      (error: grpc.ServiceError) => error,
    );
    expect(refused?.code).toBe(grpc.status.UNAUTHENTICATED);
    expect(String(refused?.metadata.get("grpc-status-details-bin")[0])).toContain("API_KEY_MALFORMED");
  } finally {
    identities.close();
  }
});

test("@grpc/grpc-js watches sessions, and goes on after the position that it had", async () => {
  const address = new URL(app.localUrl).host;
  const feed = load("session/v1/session_feed_service", "ostiary.session.v1.SessionFeedService", address);
  const key = (await watchKey(app)).secret;
  const { session } = await register(app);
  const watching = (request: object, isMeant: (answer: Answer) => boolean) =>
    new Promise<Answer>((resolve, reject) => {
      const stream = feed.stream("WatchSessions", request, key);
      stream.on("data", (answer: Answer) => {
        if (!isMeant(answer)) return;
        stream.cancel();
        resolve(answer);
      });
      stream.on("error", reject);
    });
  try {
    const first = await watching({}, ({ position }) => position !== undefined && position !== null);
    expect(first.event).toBe("heartbeat");
    await app.client(SessionAdminService).revokeSession({ sessionId: session?.id ?? "" });
    const told = await watching({ after: first.position }, ({ event }) => String(event) !== "heartbeat");
    expect(told).toMatchObject({
      event: "changes",
      changes: { changes: [{ kind: "SESSION_CHANGE_KIND_REVOKED", sessionId: session?.id }] },
    });
    const forged = { sequence: first.position?.sequence, epoch: "1" };
    expect((await watching({ after: forged }, ({ event }) => String(event) !== "heartbeat")).event).toBe(
      "reset",
    );
  } finally {
    feed.close();
  }
});
