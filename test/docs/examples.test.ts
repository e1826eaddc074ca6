import { generateKeyPairSync } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fromJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { NewOidcAccountSchema } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { checkTexts } from "../../src/domain/user-message/check-texts.ts";
import { runInProcess } from "../cli/run-ostiary.ts";
import { register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { makeCertificateFolder } from "../support/certificates.ts";
import { isInstalled, runProgram } from "../support/foreign.ts";

const pages = [
  "README.md",
  "SECURITY.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  ...(await readdir("docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
];
const withOpenssl = await isInstalled("openssl", ["version"]);
const withGrpcurl = await isInstalled("grpcurl", ["-version"]);

let app: TestApp;
let folder: string;

beforeAll(async () => {
  const tokens = { audiences: ["https://api.example.com"] };
  app = await startTestApp({
    config: { tenant_defaults: { link: { enabled: true }, session: { tokens } } },
  });
  folder = await mkdtemp(join(tmpdir(), "ostiary-docs-"));
  await mkdir(join(folder, ".ostiary"));
  await writeFile(join(folder, ".ostiary/admin-api-key"), `${app.apiKey}\n`);
  await mkdir(join(folder, "bin"));
  await symlink(resolve("bin/ostiary"), join(folder, "bin/ostiary"));
});

afterAll(async () => {
  await app.stop();
  await rm(folder, { recursive: true });
});

/** A block of code on a page. */
interface Block {
  readonly page: string;
  /** `sh`, `yaml`, … */
  readonly language: string;
  /** What a comment before it says: it is pasted in order with the others of its page. */
  readonly marked: boolean;
  readonly code: string;
}

async function blocksOf(page: string): Promise<Block[]> {
  const text = await readFile(page, "utf8");
  const matches = text.matchAll(/(<!-- test: \w+ -->\n)?```([^\n]*)\n([\s\S]*?)```/g);
  return [...matches].map(([, mark, language = "", code = ""]) => ({
    page,
    language: language.split(" ")[0] ?? "",
    marked: mark !== undefined,
    code,
  }));
}

/** The marked commands of a page, with the addresses of the test's own server. */
async function scriptOf(page: string): Promise<string> {
  const blocks = (await blocksOf(page)).filter(({ marked }) => marked);
  return withOwnAddresses(blocks.map(({ code }) => code).join("\n"));
}

function withOwnAddresses(code: string): string {
  return code
    .replaceAll(/(127\.0\.0\.1|localhost):4433/g, new URL(app.localUrl).host)
    .replaceAll("127.0.0.1:4434", new URL(app.adminUrl).host);
}

const shell = (script: string, env: Record<string, string> = {}) =>
  runProgram("bash", ["-euc", script], { cwd: folder, env });

describe("the commands of the docs", () => {
  test.each([
    ["README.md", "ada@example.com"],
    ["docs/quickstart.md", "alan@example.com"],
    ["docs/flows.md", "edith@example.com"],
    ["docs/admin-api.md", "grace@example.com"],
  ])("%s, pasted in order, work", async (page, email) => {
    const script = await scriptOf(page);
    expect(script).toContain(email);
    const { stdout, failed } = await shell(script);
    expect(failed).toBe(false);
    expect(stdout).not.toContain('"code":');
    expect(stdout).toContain(email);
  });

  test("docs/session-checks.md checks the token of the README", async () => {
    const script = `${await scriptOf("README.md")}\n${await scriptOf("docs/session-checks.md")}`;
    const { stdout } = await shell(script.replaceAll("ada@", "check@"));
    const answers = stdout.trim().split(/(?<=\})(?=\{)/);
    // The README's own check, that of the page, and the one with demands, which asks for the profile too.
    const sessions = answers.filter((answer) => answer.startsWith('{"session"'));
    expect(sessions.map((answer) => answer.includes('"identity":{'))).toEqual([false, false, true]);
    expect(stdout).toMatch(/"token":"ey[\w-]+\.[\w-]+\.[\w-]+"/);
    expect(stdout).not.toContain('"code":');
  });

  test("docs/throttling.md explains and resets, with the shell function of the admin API", async () => {
    const before = (await scriptOf("docs/admin-api.md")).replaceAll("grace@", "throttled@");
    const { stdout, failed } = await shell(`${before}\n${await scriptOf("docs/throttling.md")}`);
    expect(failed).toBe(false);
    expect(stdout).not.toContain('"code":');
    expect(stdout).toContain('"loginAllowed":true');
  });

  test("docs/clients.md signs in with a form's names, in a flow of one's own", async () => {
    const { email } = await register(app);
    const { flow } = await app.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
    const script = (await scriptOf("docs/clients.md"))
      .replace("ost_flw_…", flow?.id ?? "")
      .replace("ada@example.com", email);
    const { stdout, failed } = await shell(script);
    expect(failed).toBe(false);
    expect(JSON.parse(stdout)).toMatchObject({
      completed: { signedIn: { identity: { traits: { email } } } },
    });
  });

  test("docs/tenant-profile.md asks for the profile, and again with its etag", async () => {
    const { stdout, failed } = await shell(await scriptOf("docs/tenant-profile.md"));
    expect(failed).toBe(false);
    expect(stdout).toMatch(/^\{"profile":\{"branding":\{"name":"Ostiary"\}.*\}304\n$/);
  });

  test("docs/tenant-profile.md draws a page of its own by it", async () => {
    const page = (await blocksOf("docs/tenant-profile.md")).find(({ language }) => language === "ts");
    await writeFile(join(folder, "page.ts"), withOwnAddresses(page?.code ?? ""));
    const { stdout, failed } = await runProgram("node", ["page.ts"], { cwd: folder });
    expect(failed).toBe(false);
    expect(stdout).toContain("<title>Sign in · Ostiary</title>\n<label>Email <input");
    expect(stdout).toContain("Forgot your password?");
    expect(stdout).toContain("with a password of 8 characters or more");
  });

  test.skipIf(!withGrpcurl)("those of grpcurl work", async () => {
    const blocks = (await Promise.all(pages.map(blocksOf))).flat();
    const commands = blocks.filter(({ code }) => code.startsWith("grpcurl "));
    expect(commands.length).toBeGreaterThanOrEqual(2);
    const before = (await scriptOf("README.md")).replaceAll("ada@", "grpcurl@");
    for (const { code } of commands) {
      const { failed, stderr } = await shell(`${before}\n${withOwnAddresses(code)}`);
      expect(failed, stderr).toBe(false);
    }
  });

  test("those of docs/configuration.md accept its example and print it", async () => {
    const blocks = await blocksOf("docs/configuration.md");
    const example = blocks.find(({ language }) => language === "yaml");
    const commands = blocks.find(({ language }) => language === "sh");
    await writeSecret("ostiary-sealing");
    await writeFile(join(folder, "ostiary.yaml"), withOwnFiles(example?.code ?? ""));
    const { stdout, failed } = await shell(commands?.code ?? "exit 1", {
      PATH: `${join(folder, "bin")}:${process.env.PATH}`,
      DATABASE_URL: "postgresql://ostiary:hunter2@db/ostiary?sslmode=verify-full",
      SMTP_URL: "smtps://mail.example.com",
    });
    expect(failed).toBe(false);
    expect(stdout).toMatch(/^OK\n/);
    expect(stdout).toContain("min_length: 15 # ostiary.yaml:");
    expect(stdout).not.toContain("hunter2");
  });
});

describe("the configuration on the pages is accepted", () => {
  const check = async (yaml: string, env: Record<string, string> = {}) => {
    await writeFile(join(folder, "page.yaml"), withOwnFiles(yaml));
    return runInProcess(["config", "check", "--config", "page.yaml"], {
      directory: folder,
      environment: env,
    });
  };

  test("secrets, and an external database", async () => {
    for (const name of ["old-sealing", "sealing-key"]) await writeSecret(name);
    await writeSecret("database-url", "postgresql://ostiary@db/ostiary?sslmode=verify-full");
    await writeSecret("smtp-url", "smtps://mail.example.com");
    const secrets = (await yamlOf("docs/configuration.md"))[1] ?? "";
    expect(await check(secrets, { SEALING_SECRET: "s".repeat(32) })).toMatchObject({ stdout: "OK\n" });
    const [database = ""] = await yamlOf("docs/operations.md");
    expect(await check(database)).toMatchObject({ stdout: "OK\n", stderr: "" });
  });

  test("rules for passwords, and a mirror for the breached ones", async () => {
    const yamls = await yamlOf("docs/passwords.md");
    expect(yamls).toHaveLength(2);
    for (const yaml of yamls) expect(await check(yaml)).toMatchObject({ stdout: "OK\n", stderr: "" });
  });

  test("the apps that call for passkeys", async () => {
    const [apps = ""] = await yamlOf("docs/flows.md");
    expect(await check(apps)).toMatchObject({ stdout: "OK\n" });
  });

  test("documents to accept, and a policy for second factors", async () => {
    const [terms = ""] = await yamlOf("docs/required-actions.md");
    const [policy = ""] = await yamlOf("docs/second-factors.md");
    for (const yaml of [terms, policy])
      expect(await check(yaml)).toMatchObject({ stdout: "OK\n", stderr: "" });
  });

  test("an OAuth2 server", async () => {
    await writeSecret("hydra-key");
    const [page = ""] = await yamlOf("docs/oauth2-login-provider.md");
    expect(page).toContain("admin_url");
    expect(await check(page)).toMatchObject({ stdout: "OK\n", stderr: "" });
  });

  test("the origins of web views and extensions", async () => {
    const [origins = ""] = await yamlOf("docs/clients.md");
    expect(await check(origins)).toMatchObject({ stdout: "OK\n", stderr: "" });
  });

  test("the rules of proxies", async () => {
    const [page = ""] = await yamlOf("docs/forward-auth.md");
    const { stdout, stderr } = await check(page);
    expect(stdout).toBe("OK\n");
    expect(stderr).not.toContain("forward_auth");
  });

  test("who may register", async () => {
    const [page = ""] = await yamlOf("docs/admin-api.md");
    expect(page).toContain("registration");
    expect(await check(page)).toMatchObject({ stdout: "OK\n", stderr: "" });
  });

  test("providers, with each way to prove who the server is", async () => {
    const [bySecret = "", byKey = "", apple = "", byNothing = ""] = await yamlOf("docs/social-login.md");
    for (const name of ["google-secret", "staff-secret"]) await writeSecret(name);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    for (const name of ["bank-key.pem", "apple-key.p8"]) await writeSecret(name, pem);
    for (const yaml of [bySecret, byKey, apple, byNothing]) {
      expect(await check(yaml), yaml).toMatchObject({ stdout: "OK\n", stderr: "" });
    }
  });

  test("a logout at a provider, its tokens, and a link", async () => {
    const [logout = "", tokens = ""] = (await yamlOf("docs/social-login.md")).slice(-2);
    await writeSecret("keycloak");
    await writeSecret("google");
    expect(logout).toContain("logout_at_provider: true");
    expect(tokens).toContain("keep_tokens: true");
    for (const yaml of [logout, tokens]) {
      expect(await check(yaml), yaml).toMatchObject({ stdout: "OK\n", stderr: "" });
    }
    const { code = "" } =
      (await blocksOf("docs/social-login.md")).findLast(({ language }) => language === "json") ?? {};
    expect(fromJson(NewOidcAccountSchema, JSON.parse(code)).provider).toBe("google");
  });

  test("signed tokens, alone and with claims", async () => {
    const [audiences = "", templates = ""] = await yamlOf("docs/session-checks.md");
    expect(audiences).toContain("audiences");
    expect(templates).toContain("templates");
    for (const yaml of [audiences, templates]) {
      expect(await check(yaml), yaml).toMatchObject({ stdout: "OK\n", stderr: "" });
    }
  });

  test("the branding", async () => {
    const [branding = ""] = await yamlOf("docs/tenant-profile.md");
    expect(await check(branding)).toMatchObject({ stdout: "OK\n", stderr: "" });
  });

  test("the courier's mail server and web services, and templates of one's own", async () => {
    const [smtp = "", keys = "", http = ""] = await yamlOf("docs/courier.md");
    expect(await check(keys)).toMatchObject({ stdout: "OK\n" });
    for (const yaml of [smtp, http]) expect(await check(yaml)).toMatchObject({ stdout: "OK\n" });
    const [own = ""] = await yamlOf("docs/templates.md");
    await mkdir(join(folder, "mails"));
    expect(await check(own)).toMatchObject({ stdout: "OK\n" });
    const commands = (await blocksOf("docs/templates.md")).find(({ code }) =>
      code.startsWith("ostiary templates"),
    );
    for (const line of commands?.code.trim().split("\n") ?? []) {
      const words = line.replace(/#.*/, "").trim().split(/\s+/).slice(1);
      const { code, stdout, stderr } = await runInProcess([...words, "--config", "page.yaml"], {
        directory: folder,
      });
      expect({ code, stderr }, line).toEqual({ code: 0, stderr: "" });
      expect(stdout, line).not.toBe("");
    }
  });

  test("files of texts, and the commands that check them", async () => {
    const blocks = await blocksOf("docs/texts.md");
    const example = blocks.find(({ language }) => language === "json")?.code ?? "";
    expect(checkTexts(JSON.parse(example)).problems).toEqual([]);
    const { stdout } = await runInProcess(["texts", "list"], { directory: folder });
    await writeFile(join(folder, "texts.fr.json"), stdout);
    const commands =
      blocks
        .find(({ code }) => code.startsWith("ostiary texts"))
        ?.code.trim()
        .split("\n") ?? [];
    expect(commands.length).toBe(3);
    for (const line of commands.slice(1)) {
      const words = line.replace(/#.*/, "").trim().split(/\s+/).slice(1);
      const file = words.map((word) => (word === "texts.fr.json" ? join(folder, word) : word));
      const { code, stderr } = await runInProcess(file, { directory: folder });
      expect({ code, stderr }, line).toEqual({ code: 0, stderr: "" });
    }
  });

  test.skipIf(!withOpenssl)("client certificates (openssl)", async () => {
    const certificates = await makeCertificateFolder();
    try {
      const authority = await certificates.authority("clients-ca");
      const server = await certificates.issue({ name: "server", authority, names: "DNS:localhost" });
      for (const file of [authority.certificate, server.certificate, server.key])
        await copyFile(file, join(folder, file.slice(certificates.path.length)));
      const [page = ""] = (await yamlOf("docs/admin-api.md")).filter((yaml) =>
        yaml.includes("client_ca_file"),
      );
      expect(page).toContain("client_certificates");
      expect(await check(page)).toMatchObject({ stdout: "OK\n" });
    } finally {
      await certificates.remove();
    }
  });

  test("the identity schema, by a server that starts with it", async () => {
    const [page = ""] = await yamlOf("docs/identity-schemas.md");
    const blocks = await blocksOf("docs/identity-schemas.md");
    const [document, consent] = blocks
      .filter(({ language }) => language === "json")
      .map(({ code }) => JSON.parse(code));
    const properties = { ...document.properties, ...consent };
    await writeFile(join(folder, "person.schema.json"), JSON.stringify({ ...document, properties }));
    const file = join(folder, "person.schema.json");
    const other = await startTestApp({ config: parse(page.replace("person.schema.json", file)) });
    try {
      const response = await fetch(`${other.adminUrl}/ostiary.identity.v1.IdentityService/CreateIdentity`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${other.apiKey}` },
        body: JSON.stringify({ traits: { email: "ada@example.com", name: "Ada", terms: true } }),
      });
      expect(await response.json()).toMatchObject({ identity: { schemaId: "person", displayName: "Ada" } });
    } finally {
      await other.stop();
    }
  });
});

test("docs/errors.md shows an error as the server sends it", async () => {
  const [example] = (await blocksOf("docs/errors.md")).filter(({ language }) => language === "json");
  const response = await fetch(`${app.localUrl}/ostiary.session.v1.SessionService/CheckSession`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"token":7}',
  });
  const sent = (await response.json()) as { details: { type: string; debug: object }[] };
  const details = sent.details.map(({ type, debug }) => ({ type, debug }));
  expect({ ...sent, details }).toEqual(JSON.parse(example?.code ?? ""));
});

test("no block of code is left that nothing runs", async () => {
  const unmarked = (await Promise.all(pages.map(blocksOf))).flat().filter(({ marked }) => !marked);
  const left = unmarked.filter(({ page, language, code }) => {
    // Compiled by test/sdk/sdk-package.test.ts.
    if (compiledPages.includes(page) && language === "ts") return false;
    // Compiled and run by test/foreign/go.test.ts.
    if (page === "docs/errors.md" && language === "go") return false;
    // Compiled and run by hand-written-pages.test.ts, which finds them by their first line.
    if (page === "docs/hand-written-pages.md" && /^\/\/ \w+\.(ts|go)\n/.test(code)) return false;
    // Proxies run with them in test/process/proxies.test.ts.
    if (page === "docs/forward-auth.md" && ["nginx", "caddyfile"].includes(language)) return false;
    // Run by test/process/backup.test.ts.
    if (page === "docs/backup.md") return false;
    // Run by test/courier/arrivals.test.ts.
    if (page === "docs/courier.md" && /^#(!\/bin\/sh| \/etc\/aliases)\n/.test(code)) return false;
    // Tried by branding.test.ts.
    if (page === "docs/branding.md") return false;
    // They install on a machine or in a cluster, or build an image; the files that they use are checked by test/deploy.
    if (page === "docs/deployment.md") return false;
    // Run by oauth2-login-provider.test.ts.
    if (page === "docs/oauth2-login-provider.md" && language === "ts") return false;
    // Run above.
    if (page === "docs/tenant-profile.md" && language === "ts") return false;
    // What test/courier/http-delivery.test.ts receives.
    if (language === "json" && code.includes('"type": "message.email"')) return false;
    // The start from a fresh clone is what test/process/serve.test.ts is about; the map is no code.
    if (code === "make run\n" || (page === "README.md" && language === "")) return false;
    // Looked for in the foreign clients below; the commands are run by test/foreign/python.test.ts.
    if (page === "docs/clients.md" && (ofClients.has(language) || code.includes("grpc_tools.protoc")))
      return false;
    // Pictures, which scripts/generate-architecture.ts draws.
    if (language === "mermaid") return false;
    if (language === "yaml" || language === "json") return false;
    return !/^(grpcurl|ostiary config|ostiary mailbox|ostiary templates|ostiary texts|ostiary providers|ostiary ui|admin courier\.v1\.CourierService) ?/.test(
      code,
    );
  });
  expect(left).toEqual([]);
  // One that is added to a page is tried above, and counted here.
  const counts: Record<string, number> = {};
  for (const { page, language } of unmarked) {
    if (language === "yaml" || language === "json") counts[page] = (counts[page] ?? 0) + 1;
  }
  expect(counts).toEqual(tried);
});

/** The pages whose TypeScript test/sdk/sdk-package.test.ts compiles. */
const compiledPages = [
  ...["README.md", "docs/errors.md", "docs/session-verifier.md", "docs/social-login.md", "docs/texts.md"],
];

/** The languages in which docs/clients.md shows a part of a foreign client, and how many of each. */
const ofClients = new Map([
  ["java", 1],
  ["python", 1],
  ["rust", 1],
  ["text", 1],
  ["xml", 1],
]);

test("docs/clients.md shows the foreign clients as the tests run them", async () => {
  const flat = (text: string) => text.replace(/^\s+/gm, "");
  const folder = "test/foreign/clients";
  const files = (await readdir(folder, { recursive: true })).filter((name) =>
    /(?<!target\/.*)\.(?:java|mod|py|rs|xml)$/.test(name),
  );
  const programs = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  const shown = (await blocksOf("docs/clients.md")).filter(({ language }) => ofClients.has(language));
  for (const [language, count] of ofClients) {
    expect(shown.filter((block) => block.language === language)).toHaveLength(count);
  }
  const missing = shown.filter(({ code }) => !programs.some((program) => flat(program).includes(flat(code))));
  expect(missing).toEqual([]);
});

/** How many blocks of YAML and JSON of each page are tried above. */
const tried = {
  "docs/errors.md": 1,
  "docs/configuration.md": 2,
  // The second is Envoy's (test/process/proxies.test.ts); the third Traefik's, which is not run.
  "docs/forward-auth.md": 3,
  "docs/operations.md": 1,
  "docs/admin-api.md": 2,
  "docs/identity-schemas.md": 3,
  "docs/passwords.md": 2,
  "docs/clients.md": 1,
  "docs/courier.md": 15,
  "docs/templates.md": 1,
  // By branding.test.ts.
  "docs/branding.md": 4,
  "docs/texts.md": 1,
  "docs/flows.md": 1,
  "docs/required-actions.md": 1,
  "docs/second-factors.md": 1,
  "docs/session-checks.md": 2,
  // The second is Hydra's own.
  "docs/oauth2-login-provider.md": 2,
  // Two of them by social-login.test.ts.
  "docs/social-login.md": 9,
};

async function yamlOf(page: string): Promise<string[]> {
  return (await blocksOf(page)).filter(({ language }) => language === "yaml").map(({ code }) => code);
}

function withOwnFiles(yaml: string): string {
  return yaml.replaceAll("/run/secrets/", `${folder}/`);
}

async function writeSecret(name: string, text = "s".repeat(32)): Promise<void> {
  await writeFile(join(folder, name), text, { mode: 0o600 });
}

describe("links between the pages", () => {
  test.each(pages)("%s points at files that exist", async (page) => {
    // Code in Go may look like a link.
    const text = (await readFile(page, "utf8")).replace(/```[\s\S]*?```/g, "");
    const base = page.includes("/") ? page.slice(0, page.lastIndexOf("/")) : ".";
    const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map((match) =>
      join(base, match[1] ?? ""),
    );
    for (const link of links) await expect(stat(link), link).resolves.toBeDefined();
  });
});
