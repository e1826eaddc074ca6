import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import { join } from "node:path";
import type { Message } from "@bufbuild/protobuf";
import type { GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import {
  type Client,
  Code,
  ConnectError,
  type ConnectRouter,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { AssuranceLevel } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionState } from "../../gen/ostiary/session/v1/session_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { type AccessGuard, requireAccess, withValidHost } from "../../sdk/typescript/src/server.ts";
import { register } from "../support/accounts.ts";
import { type Protocol, startTestApp, type TestApp, transportOf } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { projectWithInstalledModules, run, temporaryFolder } from "./packages.ts";
import { close, goodToken, listen, type SessionServer, startSessionServer } from "./session-server.ts";

type Notes = Message<"acme.notes.v1.ListNotesRequest"> & { contains: string };
type NotesAnswer = Message<"acme.notes.v1.ListNotesResponse"> & { identityId: string };
type NotesMethod<Kind extends "unary" | "server_streaming" = "unary"> = {
  methodKind: Kind;
  input: GenMessage<Notes>;
  output: GenMessage<NotesAnswer>;
};
/** What protoc-gen-es makes of test/fixtures/other-team, as far as the compiler has to know it. */
type NoteService = GenService<{
  getMotto: {
    methodKind: "unary";
    input: GenMessage<Message<"acme.notes.v1.GetMottoRequest">>;
    output: GenMessage<Message<"acme.notes.v1.GetMottoResponse"> & { motto: string }>;
  };
  listNotes: NotesMethod;
  watchNotes: NotesMethod<"server_streaming">;
  shareNotes: NotesMethod;
  deleteNotes: NotesMethod;
  countNotes: NotesMethod;
  importNotes: NotesMethod;
}>;

const temporary = temporaryFolder();
let noteService: NoteService;
let app: TestApp;
beforeAll(async () => {
  noteService = await generate();
  app = await startTestApp();
}, 60_000);
afterAll(async () => {
  await app.stop();
  temporary.remove();
});

/** Generates the other team's service as they would: their proto beside those of the npm package. */
async function generate(): Promise<NoteService> {
  const { path } = temporary;
  cpSync("proto", join(path, "proto"), { recursive: true });
  cpSync("test/fixtures/other-team", join(path, "proto"), { recursive: true });
  projectWithInstalledModules(path);
  const plugin = {
    local: "protoc-gen-es",
    out: "gen",
    opt: ["target=js", "import_extension=js"],
    include_imports: true,
  };
  const template = JSON.stringify({ version: "v2", plugins: [plugin] });
  run("buf", ["generate", "proto", "--path", "proto/acme", "--template", template], path);
  const generated: { NoteService: NoteService } = await import(
    join(path, "gen/acme/notes/v1/note_service_pb.js")
  );
  return generated.NoteService;
}

test("the proto of the SDK's README compiles", () => {
  const [, proto = ""] = /```proto\n(.*?)```/s.exec(readFileSync("sdk/typescript/README.md", "utf8")) ?? [];
  expect(proto).toContain("ostiary.option.v1.method");
  writeFileSync(join(temporary.path, "proto/greet.proto"), proto);
  run("buf", ["build", "proto", "--path", "proto/greet.proto"], temporary.path);
});

/** The methods of the other team that were called. */
const served: string[] = [];
beforeEach(() => {
  served.length = 0;
});

function routesOf(guard: AccessGuard) {
  return (router: ConnectRouter) => {
    const answer =
      (method: string) => (_request: Notes, context: Parameters<AccessGuard["sessionOf"]>[0]) => {
        served.push(method);
        return { identityId: guard.sessionOf(context).session.identityId };
      };
    router.service(noteService, {
      getMotto: () => ({ motto: "come in" }),
      listNotes: answer("listNotes"),
      async *watchNotes(request, context) {
        yield answer("watchNotes")(request, context);
      },
      shareNotes: answer("shareNotes"),
      deleteNotes: answer("deleteNotes"),
      countNotes: answer("countNotes"),
      importNotes: answer("importNotes"),
    });
    router.service(Health, { check: () => ({ status: 1 }) });
  };
}

/** Serves the other team's service behind the guard, over HTTP/1.1, and over HTTP/2 for gRPC. */
async function serve(baseUrl: string) {
  const guard = requireAccess({ baseUrl });
  const handler = withValidHost(
    connectNodeAdapter({ requestGate: guard.requestGate, routes: routesOf(guard) }),
  );
  const server = createServer(handler);
  const http2 = createHttp2Server(handler);
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => sessions.add(session));
  const url = await listen(server);
  const http2Url = await listen(http2);
  return {
    url,
    client: (protocol: Protocol, token?: string): Client<NoteService> =>
      createClient(noteService, transportOf(protocol, protocol === "gRPC" ? http2Url : url, token)),
    health: (protocol: Protocol) =>
      createClient(Health, transportOf(protocol, protocol === "gRPC" ? http2Url : url, undefined)),
    async stop() {
      for (const session of sessions) session.destroy();
      await close(server);
      await new Promise((resolve) => http2.close(resolve));
    },
  };
}

type Served = Awaited<ReturnType<typeof serve>>;

describe.each<Protocol>(["Connect JSON", "gRPC"])("another team's service over %s", (protocol) => {
  let notes: Served;
  let person: Awaited<ReturnType<typeof register>>;
  beforeAll(async () => {
    notes = await serve(app.localUrl);
    person = await register(app);
  });
  afterAll(() => notes.stop());
  const signedIn = () => notes.client(protocol, person.sessionToken);
  const stranger = () => notes.client(protocol);

  test("is open where a method admits anyone", async () => {
    expect((await stranger().getMotto({})).motto).toBe("come in");
  });

  test("admits the holder of a session, and knows who it is", async () => {
    expect((await signedIn().listNotes({})).identityId).toBe(person.identity?.id);
    for await (const { identityId } of signedIn().watchNotes({}))
      expect(identityId).toBe(person.identity?.id);
    expect(served).toEqual(["listNotes", "watchNotes"]);
  });

  test("refuses callers that have none, in streams as well", async () => {
    const refused = { code: "Unauthenticated", reason: "SESSION_CREDENTIAL_MISSING" };
    expect(await refusal(stranger().listNotes({}))).toMatchObject(refused);
    const watching = stranger().watchNotes({})[Symbol.asyncIterator]();
    expect(await refusal(watching.next())).toMatchObject(refused);
    expect(served).toEqual([]);
  });

  test("demands the level of assurance that the method declares", async () => {
    expect(await refusal(signedIn().deleteNotes({}))).toMatchObject({
      code: "Unauthenticated",
      reason: "SESSION_ASSURANCE_TOO_LOW",
    });
    expect(served).toEqual([]);
  });

  test("demands a login that is as fresh as the method declares", async () => {
    person = await register(app);
    expect((await signedIn().shareNotes({})).identityId).toBe(person.identity?.id);
    app.clock.advance(2 * 60 * 60 * 1000);
    expect(await refusal(signedIn().shareNotes({}))).toMatchObject({
      code: "Unauthenticated",
      reason: "SESSION_AUTHENTICATION_TOO_OLD",
    });
    expect(served).toEqual(["shareNotes"]);
  });

  // Security rule (SR-ACCESS-1): default deny. A method that does not say who may call it can be called by nobody.
  test.each(["countNotes", "importNotes"] as const)(
    "denies everybody a method without such a rule: %s",
    async (name) => {
      const method = `acme.notes.v1.NoteService/${name === "countNotes" ? "CountNotes" : "ImportNotes"}`;
      for (const client of [signedIn(), stranger()]) {
        expect(await refusal(client[name]({}))).toMatchObject({
          code: "PermissionDenied",
          reason: "ACCESS_UNDECLARED",
          metadata: { method },
        });
      }
      expect(served).toEqual([]);
    },
  );

  test("denies everybody a service that knows nothing of the option", async () => {
    expect(await refusal(notes.health(protocol).check({}))).toMatchObject({ reason: "ACCESS_UNDECLARED" });
  });
});

describe("requireAccess", () => {
  let ostiary: SessionServer;
  let notes: Served;
  beforeAll(async () => {
    ostiary = await startSessionServer();
    notes = await serve(ostiary.url);
  });
  afterAll(async () => {
    await notes.stop();
    await ostiary.stop();
  });
  beforeEach(() => {
    ostiary.asked.length = 0;
  });

  function post(method: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${notes.url}/acme.notes.v1.NoteService/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
  }

  // Security rule (SR-INPUT-1): what a stranger sends is not parsed.
  test("checks before it parses the body", async () => {
    expect((await post("ListNotes", "{no JSON")).status).toBe(401);
    expect((await post("CountNotes", "{no JSON")).status).toBe(403);
    const bearer = { authorization: `Bearer ${goodToken}` };
    expect((await post("ListNotes", "{no JSON", bearer)).status).toBe(400);
  });

  test("passes the declared demands on to Ostiary", async () => {
    await post("ShareNotes", "{}", { authorization: `Bearer ${goodToken}` });
    expect(ostiary.asked[0]?.demands.map(({ demand }) => demand)).toMatchObject([
      { case: "assuranceLevel", value: 1 },
      { case: "freshness", value: { within: { case: "maxAge", value: { seconds: 3600n } } } },
    ]);
  });

  test("asks Ostiary nothing for a method that admits anyone or nobody", async () => {
    const bearer = { authorization: `Bearer ${goodToken}` };
    expect((await post("GetMotto", "{}", bearer)).status).toBe(200);
    expect((await post("CountNotes", "{}", bearer)).status).toBe(403);
    expect(ostiary.asked).toEqual([]);
  });

  // Security rule (SR-SDK-7): what a cookie authenticates and may change something must come from an allowed origin.
  test("refuses a changing call with a cookie that another site has started", async () => {
    const cookie = `__Host-ostiary_session=${goodToken}`;
    const refused = await post("ShareNotes", "{}", { cookie, origin: "https://evil.example" });
    expect(refused.status).toBe(403);
    expect(served).toEqual([]);
    expect((await post("ShareNotes", "{}", { cookie, origin: notes.url })).status).toBe(200);
  });

  test("keeps the answers for one person, and refusals, out of caches", async () => {
    const get = (headers: Record<string, string>) =>
      fetch(`${notes.url}/acme.notes.v1.NoteService/ListNotes?encoding=json&message={}&connect=v1`, {
        headers,
      });
    const admitted = await get({ authorization: `Bearer ${goodToken}` });
    expect([admitted.status, admitted.headers.get("cache-control")]).toEqual([200, "no-store"]);
    const refused = await get({});
    expect([refused.status, refused.headers.get("cache-control")]).toEqual([401, "no-store"]);
  });

  // Security rule (SR-SDK-3): a guard that cannot ask lets nobody through.
  test("answers 503 while Ostiary cannot be asked", async () => {
    ostiary.failure = new ConnectError("secret detail", Code.Internal);
    const answer = await post("ListNotes", "{}", { authorization: `Bearer ${goodToken}` });
    ostiary.failure = undefined;
    expect(answer.status).toBe(503);
    expect(await answer.text()).not.toContain("secret detail");
    expect(served).toEqual([]);
  });

  // Security rule (SR-SDK-3): an answer that contradicts the question lets nobody in.
  test("does not believe an Ostiary that ignores the level that it was asked for", async () => {
    const session = {
      id: "session-1",
      identityId: "identity-1",
      state: SessionState.ACTIVE,
      assuranceLevel: AssuranceLevel.AAL1,
    };
    const transport = createRouterTransport((router) =>
      router.service(SessionService, { checkSession: () => ({ session }) }),
    );
    const sessions = createClient(SessionService, transport);
    const { requestGate } = requireAccess({ ostiary: { sessions }, view: "session" });
    const answer = () => ({ identityId: "identity-1" });
    const behindIt = createRouterTransport(
      (router) => router.service(noteService, { listNotes: answer, deleteNotes: answer }),
      { router: { requestGate } },
    );
    const client = createClient(noteService, behindIt);
    const headers = { authorization: `Bearer ${goodToken}` };
    expect((await client.listNotes({}, { headers })).identityId).toBe("identity-1");
    expect(await refusal(client.deleteNotes({}, { headers }))).toMatchObject({
      reason: "SESSION_ASSURANCE_TOO_LOW",
    });
  });

  test("leaves a service alone that has a gate of its own", async () => {
    const { requestGate } = requireAccess({ baseUrl: ostiary.url });
    const health = { check: () => ({ status: 1 }) };
    const call = (own: { readonly requestGate?: () => void }) => {
      const transport = createRouterTransport((router) => router.service(Health, health, own), {
        router: { requestGate },
      });
      return createClient(Health, transport).check({});
    };
    expect((await call({ requestGate: () => {} })).status).toBe(1);
    expect(await refusal(call({}))).toMatchObject({ reason: "ACCESS_UNDECLARED" });
  });

  test.each([
    ["a demand, which belongs on the method", { assuranceLevel: "aal2" }],
    ["an option that there is not", { allowedOrigin: [] }],
    ["a view that there is not", { view: "all" }],
    ["a listener that is none", { onUnavailable: "log" }],
  ])("refuses %s when it is made", (_, options) => {
    expect(() => requireAccess({ baseUrl: ostiary.url, ...(options as object) })).toThrow(TypeError);
  });
});
