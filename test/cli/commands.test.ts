import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load-config.ts";
import { mailAuthority } from "../support/mail-server.ts";
import { runInProcess, runOstiary } from "./run-ostiary.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ostiary-cli-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const run = (words: readonly string[], environment: Record<string, string> = {}) =>
  runInProcess(words, { directory, environment });

describe("config check", () => {
  test("says OK, and makes nothing", async () => {
    expect(await runOstiary(["config", "check"], { directory })).toEqual({
      code: 0,
      stdout: "OK\n",
      stderr: "",
    });
    expect(readdirSync(directory)).toEqual([]);
  });

  test("names every problem on a line of its own, and ends with 1", async () => {
    writeFileSync(join(directory, "o.yaml"), "server:\n  publik: {}\ndatabase:\n  pool_size: many\n");
    const words = ["config", "check", "--config", "o.yaml", "--admin-port", "x"];
    const { code, stdout, stderr } = await runOstiary(words, { directory });
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toEqual([
      "ostiary: server.publik (o.yaml:2): unknown key; did you mean server.public?",
      "ostiary: database.pool_size (o.yaml:4): must be a whole number",
      "ostiary: server.admin.port (--admin-port): must be a whole number from 0 to 4294967295",
    ]);
  });

  test("finds the file by its variable, warns in development mode of what it would refuse", async () => {
    writeFileSync(join(directory, "o.yaml"), "server: {admin: {host: 0.0.0.0}}");
    const refused = await run(["config", "check"], { OSTIARY_CONFIG: "o.yaml" });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      "server.admin.host (o.yaml:1): the admin listener beyond loopback needs",
    );
    const warned = await run(["config", "check", "--dev"], { OSTIARY_CONFIG: "o.yaml" });
    expect(warned).toMatchObject({ code: 0, stdout: "OK\n" });
    expect(warned.stderr).toContain("warning: server.admin.host (o.yaml:1)");
  });
});

describe("config print", () => {
  test("prints what is in effect as YAML, without secrets", async () => {
    const { code, stdout } = await run(["config", "print", "--public-port", "5000", "--sources"], {
      OSTIARY_SECRETS_SEALING: "hunter2".repeat(6),
      OSTIARY_DATABASE_URL: "postgresql://ostiary:hunter2@db/ostiary?sslmode=verify-full",
    });
    expect(code).toBe(0);
    expect(stdout).not.toContain("hunter2");
    expect(stdout).toContain("port: 5000 # --public-port");
    expect(parse(stdout)).toMatchObject({
      server: { public: { port: 5000 } },
      database: { url: "postgresql://ostiary:[secret]@db/ostiary?sslmode=verify-full" },
      secrets: { sealing: ["[secret]"] },
    });
  });
});

describe("hash calibrate", () => {
  test("prints parameters that the configuration accepts as they are", async () => {
    const { code, stdout } = await run(["hash", "calibrate", "--target", "1ms", "--max-memory", "19"]);
    expect(code).toBe(0);
    const file = join(directory, "calibrated.yaml");
    writeFileSync(file, stdout);
    const { config } = loadConfig({ file, environment: {}, flags: {} });
    expect(config.tenantDefaults.password.argon2).toMatchObject({ memoryKib: 19_456, iterations: 2 });
  });

  test.each([
    ["--target", "soon"],
    ["--target", "1h"],
    ["--max-memory", "lots"],
  ])("refuses %s %s in one line", async (...words) => {
    const { code, stderr } = await run(["hash", "calibrate", ...words]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ostiary: --(target|max-memory) must be [^\n]+\n$/);
  });
});

describe("a wrong command line", () => {
  test.each([
    [["bogus"], "ostiary: there is no command bogus"],
    [["config", "check", "--confg", "x"], "ostiary: unknown option '--confg'"],
    [["serve", "--config", "none.yaml"], "ostiary: none.yaml: the configuration file does not exist"],
    [["keys", "bootstrap"], "ostiary: the key is only shown on a terminal"],
    [["keys", "bootstrap", "--output", "k"], "ostiary: with the embedded database"],
  ])("%o ends with 1 and says why, without a stack", async (words, message) => {
    const { code, stdout, stderr } = await run(words);
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("    at ");
    expect(readdirSync(directory)).toEqual([]);
  });

  test("shows the stack at log level debug", async () => {
    const { stderr } = await run(["serve", "--config", "none.yaml", "--log-level", "debug"]);
    expect(stderr).toContain("    at ");
  });
});

describe("the program", () => {
  test("prints its version, which is the package's", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8"));
    const own = await runOstiary(["version"], { directory });
    expect(own).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
    expect((await run(["--version"])).stdout).toBe(`${version}\n`);
  });

  test("is found through symbolic links, from anywhere", () => {
    const link = join(directory, "ostiary");
    symlinkSync(resolve("bin/ostiary"), link);
    expect(execFileSync(link, ["version"], { cwd: "/", encoding: "utf8" })).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("says what is missing in a checkout without dependencies", async () => {
    execFileSync("sh", ["-c", `mkdir bin && cp ${resolve("bin/ostiary")} bin/`], { cwd: directory });
    const attempt = () => execFileSync(join(directory, "bin/ostiary"), ["version"], { stdio: "pipe" });
    expect(attempt).toThrow(/the dependencies are missing: run `npm ci`/);
  });
});

describe("the documentation", () => {
  test("has an example that is accepted", async () => {
    const page = readFileSync("docs/configuration.md", "utf8");
    const [, example = ""] = /```yaml config\n(.*?)```/s.exec(page) ?? [];
    const sealing = join(directory, "sealing");
    writeFileSync(sealing, "s".repeat(32), { mode: 0o600 });
    writeFileSync(join(directory, "o.yaml"), example.replace("/run/secrets/ostiary-sealing", sealing));
    const words = ["config", "check", "--config", "o.yaml"];
    const environment = {
      DATABASE_URL: "postgresql://ostiary@db/ostiary?sslmode=verify-full",
      SMTP_URL: "smtps://mail.example.com",
    };
    expect(await run(words, environment)).toEqual({ code: 0, stdout: "OK\n", stderr: "" });
  });

  test("has a reference that is up to date", () => {
    const check = () =>
      execFileSync(process.execPath, ["scripts/generate-config-reference.ts", "--check"], { stdio: "pipe" });
    expect(check).not.toThrow();
  });
});

describe("texts", () => {
  const file = (text: string) => {
    const path = join(directory, "texts.fr.json");
    writeFileSync(path, text);
    return path;
  };

  test("check says OK, or names file, line and mistake of each and ends with 1", async () => {
    const good = await run(["texts", "check", file('{ "1010022": "Se connecter" }')]);
    expect(good).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^OK: \d{3} texts are not in it\n$/),
    });
    const path = file('{\n  "1010022": "{name}",\n  "9999999": "?",\n  "form.show": 5\n}');
    const { code, stderr } = await run(["texts", "check", path]);
    expect(code).toBe(1);
    expect(stderr.trimEnd().split("\n")).toEqual([
      `ostiary: ${path}:2: 1010022: there is no value name; it has none`,
      `ostiary: ${path}:3: 9999999: there is no such message`,
      `ostiary: ${path}:4: form.show: must be a text`,
    ]);
  });

  test("check refuses keys that are there twice, and what is no object", async () => {
    const twice = await run(["texts", "check", file('{\n"form.or": "ou",\n"form.or": "ou bien"\n}')]);
    expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining("texts.fr.json:3: ") });
    const list = await run(["texts", "check", file('["ou"]')]);
    expect(list).toMatchObject({ code: 1, stderr: expect.stringContaining("must be an object") });
  });

  test("list prints a file that is complete", async () => {
    const { stdout } = await run(["texts", "list"]);
    expect(await run(["texts", "check", "--complete", file(stdout)])).toMatchObject({
      code: 0,
      stdout: "OK\n",
    });
    const { "1010022": _, ...others } = JSON.parse(stdout) as Record<string, string>;
    const lacking = await run(["texts", "check", "--complete", file(JSON.stringify(others))]);
    expect(lacking).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("1010022 is missing: Sign in\n"),
    });
  });
});

describe("templates", () => {
  const template = (text: string) => {
    mkdirSync(join(directory, "mails/en"), { recursive: true });
    writeFileSync(join(directory, "mails/en/login_code.text.liquid"), text);
    return { OSTIARY_TENANT_DEFAULTS_COURIER_TEMPLATE_DIRECTORY: "mails" };
  };

  test("check says OK, or names file and line and ends with 1", async () => {
    expect(await run(["templates", "check"])).toMatchObject({ code: 0, stdout: "OK\n" });
    expect(await run(["templates", "check"], template("{{ code }}"))).toMatchObject({ code: 0 });
    const { code, stderr } = await run(["templates", "check"], template("one\n{{ cod }}"));
    expect(code).toBe(1);
    expect(stderr).toContain("en/login_code.text.liquid:2: undefined variable: cod");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("preview prints a message in a language, with the templates of the configuration", async () => {
    const german = await run(["templates", "preview", "login_code", "--language", "de"]);
    expect(german.stdout).toMatch(/^Ihr Anmeldecode: 123456\n\nGuten Tag,/);
    const own = await run(["templates", "preview", "login_code"], template("own {{ code }}"));
    expect(own.stdout).toBe("Your sign-in code: 123456\n\nown 123456\n");
    const html = await run(["templates", "preview", "login_code", "--html"]);
    expect(html.stdout).toMatch(/^<!doctype html>/);
    const sms = await run(["templates", "preview", "login_code", "--sms"]);
    expect(sms.stdout).toMatch(/^123456 is your Ostiary sign-in code/);
    const unknown = await run(["templates", "preview", "login_cod"]);
    expect(unknown).toMatchObject({ code: 1 });
    expect(unknown.stderr).toContain("there is no template login_cod; there is login_code,");
  });

  test("that cannot be used are refused at start, before anything is made", async () => {
    const { code, stderr } = await run(["serve"], template("{% if %}"));
    expect(code).toBe(1);
    expect(stderr).toContain("en/login_code.text.liquid:1");
    expect(readdirSync(directory)).toEqual(["mails"]);
  });

  test("and the examples of the page on mail can be used", async () => {
    const page = readFileSync("docs/courier.md", "utf8");
    const examples = [...page.matchAll(/```yaml config\n(.*?)```/gs)].map((match) => match[1] ?? "");
    expect(examples.length).toBeGreaterThan(3);
    writeFileSync(join(directory, "secret"), "s".repeat(32));
    writeFileSync(join(directory, "authority.pem"), mailAuthority);
    for (const example of examples) {
      const ofHere = example
        .replace(/\bca_file: \S+/g, "ca_file: authority.pem")
        .replace(/\bfile: [^\s}]+/g, "file: secret");
      writeFileSync(join(directory, "o.yaml"), ofHere);
      expect(await run(["config", "check", "--config", "o.yaml"])).toMatchObject({ code: 0, stdout: "OK\n" });
    }
  });
});

describe("ui eject", () => {
  test("copies the source of the pages, without their tests, into a folder that is made for it", async () => {
    const target = join(directory, "ours/pages");
    const { code, stdout } = await run(["ui", "eject", target]);
    expect([code, stdout]).toEqual([0, expect.stringContaining(target)]);
    const files = readdirSync(target, { recursive: true, encoding: "utf8" });
    expect(files).toEqual(
      expect.arrayContaining([
        ...["README.md", "index.html", "package.json", "public/icon.svg", "src/app.tsx", "vite.config.ts"],
      ]),
    );
    expect(files.filter((name) => /\.test\.|node_modules|dist/.test(name))).toEqual([]);
    const { dependencies, scripts } = JSON.parse(readFileSync(join(target, "package.json"), "utf8"));
    const { version } = JSON.parse(readFileSync("package.json", "utf8"));
    expect(dependencies["@ostiary/sdk"]).toBe(version);
    expect(scripts.build).toBe("vite build");
  });

  test("writes over nothing", async () => {
    const file = join(directory, "mine.txt");
    writeFileSync(file, "mine");
    for (const [target, message] of [
      [directory, `the directory ${directory} is not empty: name a new or an empty one`],
      [file, `${file} is not a directory`],
    ] as const) {
      const { code, stderr } = await run(["ui", "eject", target]);
      expect([code, stderr]).toEqual([1, `ostiary: ${message}\n`]);
    }
    expect(readdirSync(directory)).toEqual(["mine.txt"]);
  });
});

test("a folder of pages without an index is refused with its key and line", async () => {
  writeFileSync(join(directory, "ostiary.yaml"), "server:\n  ui:\n    enabled: true\n    directory: .\n");
  const { code, stderr } = await run(["config", "check"], {
    OSTIARY_CONFIG: join(directory, "ostiary.yaml"),
  });
  expect(code).toBe(1);
  expect(stderr).toMatch(/server\.ui\.directory \(.*ostiary\.yaml:4\): the directory .* has no index\.html/);
});
