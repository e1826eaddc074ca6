import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { join, resolve } from "node:path";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { runProgram } from "../support/foreign.ts";
import { type AppProcess, sendBytes, startProcess } from "./app-process.ts";
import { type Packed, pack, run, temporaryFolder } from "./packages.ts";
import { compileExamples, examplesOf } from "./readme-examples.ts";

const temporary = temporaryFolder();
const consumer = join(temporary.path, "consumer");
const node20 = findNode20();
let packed: Packed;

// An empty project that has installed the tarball, with npm. Its other packages are those of the repository, by
// link, so that the test needs no registry.
beforeAll(() => {
  packed = pack("scripts/build-sdk.ts", "sdk/typescript", temporary.path);
  mkdirSync(consumer);
  const linked = [
    "@bufbuild/protobuf",
    "@connectrpc/connect",
    "@connectrpc/connect-web",
    "@types/node",
    "jose",
    "undici-types",
  ];
  const dependencies = Object.fromEntries(
    linked.map((name) => [name, `file:${resolve("node_modules", name)}`]),
  );
  const manifest = {
    type: "module",
    dependencies: { ...dependencies, "@ostiary/sdk": `file:${packed.tarball}` },
  };
  writeFileSync(join(consumer, "package.json"), JSON.stringify(manifest));
  run("npm", ["install", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"], consumer);
  cpSync("test/fixtures/sdk-consumer", consumer, { recursive: true });
}, 120_000);
afterAll(() => temporary.remove());

describe("the tarball of @ostiary/sdk", () => {
  test("holds code, declarations, sources, protos and papers, and nothing else", () => {
    const expected =
      /^(package\.json|README\.md|LICENSE|src\/.+\.tsx?|proto\/.+\.proto|dist\/.+\.(js|d\.ts)(\.map)?)$/;
    expect(packed.files.filter((name) => !expected.test(name) || name.includes(".test."))).toEqual([]);
    expect(packed.files).toEqual(
      expect.arrayContaining(["README.md", "LICENSE", "package.json", "src/index.ts"]),
    );
  });

  test("holds the contract's nouns and services, but neither the server's configuration nor foreign rules", () => {
    const generated = packed.files.filter((name) => name.startsWith("dist/gen/") && name.endsWith(".js"));
    expect(generated).toEqual([
      "dist/gen/google/rpc/error_details_pb.js",
      "dist/gen/ostiary/access/v1/api_key_pb.js",
      "dist/gen/ostiary/access/v1/api_key_service_pb.js",
      "dist/gen/ostiary/access/v1/throttle_pb.js",
      "dist/gen/ostiary/access/v1/throttle_service_pb.js",
      "dist/gen/ostiary/common/v1/method_kind_pb.js",
      "dist/gen/ostiary/common/v1/position_pb.js",
      "dist/gen/ostiary/courier/v1/courier_message_pb.js",
      "dist/gen/ostiary/courier/v1/courier_service_pb.js",
      "dist/gen/ostiary/error/v1/error_detail_pb.js",
      "dist/gen/ostiary/error/v1/error_reason_pb.js",
      "dist/gen/ostiary/error/v1/field_violation_pb.js",
      "dist/gen/ostiary/flow/v1/flow_pb.js",
      "dist/gen/ostiary/flow/v1/flow_service_pb.js",
      "dist/gen/ostiary/flow/v1/form_pb.js",
      "dist/gen/ostiary/flow/v1/login_service_pb.js",
      "dist/gen/ostiary/flow/v1/outcome_pb.js",
      "dist/gen/ostiary/flow/v1/recovery_service_pb.js",
      "dist/gen/ostiary/flow/v1/registration_service_pb.js",
      "dist/gen/ostiary/flow/v1/settings_service_pb.js",
      "dist/gen/ostiary/flow/v1/step_pb.js",
      "dist/gen/ostiary/flow/v1/tenant_profile_pb.js",
      "dist/gen/ostiary/flow/v1/verification_service_pb.js",
      "dist/gen/ostiary/identity/v1/identity_pb.js",
      "dist/gen/ostiary/identity/v1/identity_schema_pb.js",
      "dist/gen/ostiary/identity/v1/identity_schema_service_pb.js",
      "dist/gen/ostiary/identity/v1/identity_service_pb.js",
      "dist/gen/ostiary/identity/v1/invitation_pb.js",
      "dist/gen/ostiary/identity/v1/invitation_service_pb.js",
      "dist/gen/ostiary/identity/v1/login_record_pb.js",
      "dist/gen/ostiary/option/v1/demand_pb.js",
      "dist/gen/ostiary/option/v1/message_option_pb.js",
      "dist/gen/ostiary/option/v1/option_pb.js",
      "dist/gen/ostiary/provider/v1/provider_admin_service_pb.js",
      "dist/gen/ostiary/provider/v1/provider_pb.js",
      "dist/gen/ostiary/session/v1/session_admin_service_pb.js",
      "dist/gen/ostiary/session/v1/session_feed_service_pb.js",
      "dist/gen/ostiary/session/v1/session_pb.js",
      "dist/gen/ostiary/session/v1/session_service_pb.js",
    ]);
  });

  test("is of the server's version, licence and protobuf", () => {
    const server = readManifest("package.json");
    const sdk = readManifest("sdk/typescript/package.json");
    expect(sdk.version).toBe(server.version);
    expect(sdk.license).toBe(server.license);
    expect(readFileSync("sdk/typescript/LICENSE", "utf8")).toBe(readFileSync("LICENSE", "utf8"));
    expect(sdk.peerDependencies).toEqual({
      "@bufbuild/protobuf": `^${server.dependencies["@bufbuild/protobuf"]}`,
      "@connectrpc/connect": `^${server.dependencies["@connectrpc/connect"]}`,
      // Optional: only ./tokens needs the one, and only ./react the other.
      jose: `^${server.dependencies.jose}`,
      react: ">=19",
    });
  });

  test("exports exactly this", async () => {
    expect(Object.keys(readManifest("sdk/typescript/package.json").exports)).toEqual([
      ".",
      "./form",
      "./react",
      "./server",
      "./texts/de",
      "./texts/en",
      "./tokens",
      "./v1/access",
      "./v1/common",
      "./v1/courier",
      "./v1/error",
      "./v1/flow",
      "./v1/identity",
      "./v1/option",
      "./v1/provider",
      "./v1/session",
      "./package.json",
    ]);
    const [root, form, server, tokens] = exportsOf(
      "@ostiary/sdk",
      "@ostiary/sdk/form",
      "@ostiary/sdk/server",
      "@ostiary/sdk/tokens",
    );
    expect(tokens).toEqual(["SessionRefusedError", "createTokenVerifier"]);
    expect(root).toEqual([
      "createOstiary",
      "createOstiaryAdmin",
      "fieldViolationsOf",
      "formDataToValues",
      "getTenantProfile",
      "isErrorReason",
      "issueTokens",
      "metadataOf",
      "providersOf",
      "reasonOf",
      "remedyOf",
      "retryAfterOf",
      "signInWith",
      "stepUp",
      "submit",
      "textOf",
      "userMessageOf",
    ]);
    expect(form).toEqual([
      "FlowClientError",
      "PasskeyError",
      "buttonForEnter",
      "createFlow",
      "describeFailure",
      "describeForm",
      "directionOf",
      "englishFormTexts",
      "fieldOf",
      "fillIn",
      "focusFirstProblem",
      "getFlow",
      "keepTyped",
      "lastUsedMethod",
      "layoutOf",
      "leavePage",
      "listenToControls",
      "numberText",
      "optionsIn",
      "readNumber",
      "rememberMethod",
      "renderForm",
      "signalPasskeys",
      "signalUnknownPasskey",
      "translator",
      "viewMessage",
      "watchRules",
      "withTexts",
    ]);
    expect(server).toEqual([
      "SessionRefusedError",
      "createServerOstiary",
      "createSessionVerifier",
      "requireAccess",
      "requireSession",
      "sessionKey",
      "sessionOf",
      "withValidHost",
    ]);
  });

  test.each([
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ])("type-checks in a strict project with module %s and resolution %s", (module, moduleResolution) => {
    compileConsumer(module, moduleResolution);
  });

  test("runs on Node", () => {
    if (!existsSync(join(consumer, "out"))) compileConsumer("nodenext", "nodenext");
    expect(JSON.parse(run("node", ["out/consumer.js"], consumer))).toEqual({
      id: "ost_flw_1",
      session: "ost_ses_2",
      name: "Ada",
      nobody: true,
      reasons: 1,
      services: [
        "ostiary.identity.v1.IdentityService",
        "ostiary.access.v1.ApiKeyService",
        "ostiary.session.v1.SessionAdminService",
      ],
      admin: [
        ...["identities", "identitySchemas", "invitations", "providers", "sessions", "courier"],
        ...["apiKeys", "throttle"],
        ...["sendRecoveryMessages", "sendVerificationMessages"],
      ],
    });
  });

  // The oldest Node that the package supports, whose fetch does not end an answer that stalls after its first megabytes.
  test.skipIf(node20 === undefined)("bounds the time and size of a check on Node 20", () => {
    cpSync("test/fixtures/sdk-examples/bounded.js", join(consumer, "bounded.js"));
    const printed = run(node20 ?? "", ["bounded.js"], consumer);
    expect(JSON.parse(printed)).toEqual({ stalled: 503, stalledWhenLarge: 503, endless: 503 });
  });

  test("bounds the time and size of a check on the Node of this repository", () => {
    cpSync("test/fixtures/sdk-examples/bounded.js", join(consumer, "bounded.js"));
    const printed = run("node", ["bounded.js"], consumer);
    expect(JSON.parse(printed)).toEqual({ stalled: 503, stalledWhenLarge: 503, endless: 503 });
  });

  test("has declarations and maps that lead to files that are there", () => {
    const files = new Set(packed.files);
    const maps = packed.files.filter((name) => name.endsWith(".map"));
    expect(maps.length).toBeGreaterThan(20);
    for (const name of maps) {
      const text = readFileSync(join(consumer, "node_modules/@ostiary/sdk", name), "utf8");
      const { sources } = JSON.parse(text) as { readonly sources: readonly string[] };
      for (const source of sources) expect(files).toContain(join(name, "..", source));
    }
    const code = packed.files.filter((name) => name.endsWith(".js"));
    for (const name of code) expect(files).toContain(name.replace(/\.js$/, ".d.ts"));
  });

  test("pleases publint", () => {
    run("publint", ["run", "--strict", packed.tarball]);
  });

  test("pleases arethetypeswrong, for ESM alone", () => {
    run("attw", ["--profile", "esm-only", "--no-emoji", "--no-color", packed.tarball]);
  });
});

describe("a web page's bundle", () => {
  test("of the helper that issues tokens holds no jose, which only those who check them need", async () => {
    const { code } = await bundle('export { createOstiary, issueTokens } from "@ostiary/sdk";');
    expect(code).toContain("issueToken");
    expect(code).not.toContain("ERR_JOSE");
  });

  test("of reasonOf holds the error messages, but no service, flow or transport", async () => {
    const { modules } = await bundle('export { reasonOf } from "@ostiary/sdk";');
    expect(modules.filter((name) => name.startsWith("dist/gen/"))).toEqual([
      "dist/gen/google/rpc/error_details_pb.js",
      "dist/gen/ostiary/error/v1/error_reason_pb.js",
    ]);
    expect(modules.filter((name) => name.startsWith("dist/sdk/"))).toEqual([
      "dist/sdk/typescript/src/errors.js",
    ]);
  });

  test("of the form renderer holds neither React nor a transport", async () => {
    const { modules, code } = await bundle('export { renderForm, translator } from "@ostiary/sdk/form";');
    expect(modules).toContain("dist/sdk/typescript/src/form/render-form.js");
    expect(modules.filter((name) => /react|flows\.js|client\.js|transport|_service/.test(name))).toEqual([]);
    expect(code).not.toMatch(/innerHTML|connect-web/);
  });

  test("of all flows adds at most seven tenths to what Connect and Protobuf weigh by themselves", async () => {
    const floor = await bundle(
      'export { createClient } from "@connectrpc/connect"; export { createConnectTransport } from "@connectrpc/connect-web";',
    );
    const login = await bundle('export { createOstiary, reasonOf, submit } from "@ostiary/sdk";');
    expect(login.modules.filter((name) => /admin|identity_service|api_key|server\//.test(name))).toEqual([]);
    expect(login.bytes / floor.bytes).toBeLessThan(1.7);
  });
});

// One after the other: what one has printed is what another one of the page starts from.
describe("the examples of the READMEs", () => {
  const shown = [
    "sdk/typescript/README.md",
    "README.md",
    "docs/errors.md",
    "docs/session-verifier.md",
    "docs/social-login.md",
    "docs/texts.md",
  ];
  const examples = shown.flatMap((page) => [...examplesOf(page)]);
  let app: TestApp;
  let programs: readonly string[];
  let token: string;

  beforeAll(async () => {
    app = await startTestApp();
  });
  const serving: AppProcess[] = [];
  afterAll(() => {
    for (const served of serving) served.stop();
    return app.stop();
  });

  /** The only example that has a text in it. */
  function exampleWith(text: string): string {
    const found = examples.flatMap((code, index) => (code.includes(text) ? [programs[index] ?? ""] : []));
    expect(found).toHaveLength(1);
    return found[0] ?? "";
  }

  /** Runs an example, or hands back what went wrong. */
  async function runExample(text: string, env: Record<string, string> = {}): Promise<string> {
    const { stdout, stderr } = await runProgram("node", [exampleWith(text)], { env });
    return (stdout + stderr).trim();
  }

  /** Serves an example by a program that gives it what it leaves to its reader. */
  async function serveExample(runner: string, text: string): Promise<AppProcess> {
    const program = join(temporary.path, "readme", runner);
    cpSync(`test/fixtures/sdk-examples/${runner}`, program);
    const served = await startProcess(program, [exampleWith(text)]);
    serving.push(served);
    return served;
  }

  test("compile against the packed package", () => {
    expect(examples.length).toBeGreaterThanOrEqual(12);
    const email = freshEmail();
    const here = examples.map((code) =>
      code
        .replaceAll(/http:\/\/(localhost|127\.0\.0\.1):4433/g, app.localUrl)
        .replaceAll("http://127.0.0.1:4434", app.adminUrl)
        .replaceAll("ada@example.com", code.includes("createOstiaryAdmin") ? freshEmail() : email)
        // Told from outside, so that an example can be given the token that another one has made.
        .replace('"ost_ses_…"', 'process.env.TOKEN ?? ""'),
    );
    programs = compileExamples(here, packed.tarball, join(temporary.path, "readme"));
  });

  test("register, and log in", async () => {
    token = await runExample(
      "createRegistrationFlow({ client: ClientKind.NATIVE });\nconst { flow: next, outcome }",
    );
    expect(token).toMatch(/^ost_ses_\S+$/);
    expect(await runExample("ostiary.login.createLoginFlow(")).toMatch(/^ost_ses_\S+$/);
  });

  test("call over gRPC with the token, and see the sessions of both", async () => {
    expect(await runExample("createGrpcTransport", { TOKEN: token })).toBe("2");
  });

  test("read an error", async () => {
    expect(await runExample("retryAfterOf(error)")).toBe("log in again");
  });

  test("make an identity with an API key", async () => {
    expect(await runExample("identities.createIdentity", { OSTIARY_API_KEY: app.apiKey })).toBe("");
  });

  // Security rule (SR-SDK-1): see withValidHost. The adapter alone throws where nobody catches it.
  test("serve Connect, whatever a stranger names as the host", async () => {
    const served = await serveExample("connect.js", "guard.interceptor");
    const [port = 0, http2Port = 0] = JSON.parse(served.printed) as number[];
    const call = (version: string, host: string) =>
      `POST /example.GreetService/Greet HTTP/${version}\r\n${host}\r\nAuthorization: Bearer ${token}\r\n` +
      "Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    expect(await sendBytes(port, call("1.1", "Host: ["))).toMatch(/^HTTP\/1\.1 400 /);
    expect(await sendBytes(port, call("1.0", "Accept: */*"))).toMatch(/^HTTP\/1\.1 400 /);
    expect(await sendBytes(port, call("1.1", "Host: localhost"))).toMatch(/^HTTP\/1\.1 200 [\s\S]*Hello /);

    const session = connectHttp2(`http://127.0.0.1:${http2Port}`);
    const status = async (authority: string) => {
      const headers = { ":method": "POST", ":path": "/example.GreetService/Greet", ":authority": authority };
      const more = { "content-type": "application/json", authorization: `Bearer ${token}` };
      const stream = session.request({ ...headers, ...more });
      stream.end("{}");
      const [received] = (await once(stream, "response")) as [{ ":status"?: number }];
      return received[":status"];
    };
    expect([await status("["), await status("localhost")]).toEqual([400, 200]);
    session.destroy();
    expect(served.isRunning()).toBe(true);
  });

  test("open a WebSocket for who is signed in, and for nobody else", async () => {
    const served = await serveExample("websocket.js", "handleUpgrade");
    const port = Number(served.printed);
    const open = (more: string) =>
      sendBytes(
        port,
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`,
      );
    expect(await open("")).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n/);
    expect(await open("Authorization: Bearer ost_ses_wrong\r\n")).toMatch(/^HTTP\/1\.1 401 /);
    const foreign = "Cookie: ostiary_session=x\r\nOrigin: https://evil.example\r\n";
    expect(await open(foreign)).toMatch(/^HTTP\/1\.1 40[13] /);

    // As a browser would, but for the header, which only Node's own WebSocket can add.
    const headers = { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers } as never);
    const [message] = (await once(socket as never, "message")) as [MessageEvent<string>];
    expect(message.data).toMatch(/^Hello \S+/);
    socket.close();
    expect(served.isRunning()).toBe(true);
  });

  const loading = [
    "onSubmit(flow",
    "renderForm(",
    "<FlowForm",
    "send(flow",
    "guard.node(",
    "express()",
    "handleLoginForm",
    'declare module "fastify"',
    "admin.sendRecoveryMessages(",
  ];
  let loaded: Promise<readonly string[]> | undefined;
  test.each(loading.map((text, index) => [text, index] as const))(
    "load, for the one with %s",
    async (_, index) => {
      loaded ??= importAll(loading.map(exampleWith));
      expect((await loaded)[index]).toBe("");
    },
  );
});

/** Compiles the consumer's program against the packed package, as strictly as can be, into out/. */
function compileConsumer(module: string, moduleResolution: string): void {
  const compilerOptions = {
    module,
    moduleResolution,
    target: "es2022",
    lib: ["es2023", "dom", "dom.iterable"],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    preserveSymlinks: true,
    outDir: "out",
  };
  writeFileSync(
    join(consumer, "tsconfig.json"),
    JSON.stringify({ compilerOptions, include: ["consumer.ts"] }),
  );
  run("tsc", ["-p", "tsconfig.json"], consumer);
}

/** Another Node on this machine than the repository's own, if it is of version 20. */
function findNode20(): string | undefined {
  const folders = (process.env.PATH ?? "").split(":").filter((folder) => !folder.includes("node_modules"));
  const candidates = folders.map((folder) => join(folder, "node")).filter((path) => existsSync(path));
  return candidates.find((path) => run(path, ["--version"]).startsWith("v20."));
}

/** The names of each subpath's exports, as Node sees them in the consumer's project. */
function exportsOf(...specifiers: readonly string[]): readonly unknown[] {
  const program = `const modules = await Promise.all(${JSON.stringify(specifiers)}.map((name) => import(name)));
    console.log(JSON.stringify(modules.map((module) => Object.keys(module))))`;
  return JSON.parse(run("node", ["--input-type=module", "--eval", program], consumer)) as unknown[];
}

/** Imports programs in one process; what each of them threw, and else nothing, in the same order. */
async function importAll(files: readonly string[]): Promise<readonly string[]> {
  const program = `const results = [];
    for (const file of ${JSON.stringify(files.map((file) => resolve(file)))})
      results.push(await import(file).then(() => "", (error) => String(error?.stack ?? error)));
    console.log(JSON.stringify(results));`;
  const { stdout, stderr } = await runProgram("node", ["--input-type=module", "--eval", program]);
  // Anything that one of them prints is no JSON.
  return JSON.parse(stderr + stdout) as string[];
}

async function bundle(code: string): Promise<{ modules: string[]; bytes: number; code: string }> {
  const entry = join(consumer, "entry.js");
  writeFileSync(entry, code);
  const build = await rolldown({ input: entry, platform: "browser" });
  const { output } = await build.generate({ minify: true });
  await build.close();
  const [chunk] = output;
  const kept = Object.entries(chunk.modules).filter(([, module]) => module.renderedLength > 0);
  const modules = kept.flatMap(([name]) => name.split("@ostiary/sdk/").slice(1)).sort();
  return { modules, bytes: Buffer.byteLength(chunk.code), code: chunk.code };
}

/** What the tests read of a package.json. */
interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, "utf8")) as Manifest;
}
