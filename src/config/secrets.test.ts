import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { loadConfig } from "./load-config.ts";
import { ensureLocalSecrets } from "./local-secrets.ts";
import { printConfig } from "./print-config.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ostiary-secrets-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function load(config: object, environment: Record<string, string> = {}) {
  const file = join(directory, "ostiary.yaml");
  writeFileSync(file, stringify(config));
  return loadConfig({ file, environment, flags: {}, workingDirectory: directory });
}

function writeSecret(name: string, text: string, mode = 0o600): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const long = (letter: string) => letter.repeat(40);

describe("secrets", () => {
  test("come from the file itself, from a variable, from a file without its last line break", () => {
    writeSecret("one", `${long("f")}\r\n`);
    const { secrets, warnings } = load(
      { secrets: { sealing: [long("l"), { env: "SEAL" }, { file: "one" }] } },
      { SEAL: long("v") },
    );
    expect(secrets.sealing().map((secret) => secret.reveal())).toEqual([long("l"), long("v"), long("f")]);
    expect(warnings).toEqual([]);
  });

  test("a file is read again on reload; what stayed the same stays the same object", () => {
    writeSecret("one", long("a"));
    const { secrets } = load({ secrets: { sealing: [{ file: "one" }, long("b")] } });
    const [first, second] = secrets.sealing();
    writeSecret("one", long("c"));
    expect(secrets.sealing()[0]).toBe(first);
    secrets.reload();
    expect(secrets.sealing()[0]?.reveal()).toBe(long("c"));
    expect(secrets.sealing()[1]).toBe(second);
  });

  test("an endpoint's address is a secret: read again on reload, and then checked as at the start", () => {
    writeSecret("url", "https://sms.example.com/first");
    const signing_secrets = [`whsec_${Buffer.alloc(24, 7).toString("base64")}`];
    const { secrets } = load({
      tenant_defaults: {
        courier: { sms: { http: { url: { file: "url" }, signing_secrets }, countries: ["DE"] } },
      },
    });
    writeSecret("url", "https://sms.example.com/second");
    secrets.reload();
    expect(secrets.messageUrl("sms")?.reveal()).toBe("https://sms.example.com/second");
    writeSecret("url", "http://sms.example.com/hunter2");
    expect(() => secrets.reload()).toThrow(/courier\.sms\.http\.url .*: must start with https:\/\//);
    expect(() => secrets.reload()).not.toThrow("hunter2");
    expect(secrets.messageUrl("sms")?.reveal()).toBe("https://sms.example.com/second");
  });

  test.each([
    ["is gone", () => rmSync(join(directory, "one")), "does not exist"],
    ["is too short", () => writeSecret("one", "short"), "must have at least 32 characters"],
    ["is empty", () => writeSecret("one", "\n"), "is empty"],
  ])("a reload when the file %s throws and changes nothing", (_, change, message) => {
    writeSecret("one", long("a"));
    const { secrets } = load({ secrets: { sealing: [{ file: "one" }] } });
    change();
    expect(() => secrets.reload()).toThrow(message);
    expect(secrets.sealing()[0]?.reveal()).toBe(long("a"));
  });

  test("a file that others may read is a warning that names it", () => {
    const path = writeSecret("one", long("a"), 0o644);
    const { warnings } = load({ secrets: { sealing: [{ file: "one" }] } });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`other accounts may read the file ${path}`);
  });

  test("in development mode an external database does without: one is made for as long as the process lives", () => {
    const { secrets } = load({ dev: true, database: { url: "postgresql://localhost/db" } });
    expect(secrets.sealing()).toHaveLength(1);
    expect(secrets.sealing()[0]?.reveal()).toHaveLength(43);
    expect(secrets.sealing()[0]).toBe(secrets.sealing()[0]);
  });
});

/** @see authelia/authelia#4170: the path of the file was used as the secret. */
describe("security rule (SR-SECRET-2): a path is no secret", () => {
  const sealing = (secret: unknown, environment = {}) =>
    load({ secrets: { sealing: [secret] } }, environment).secrets.sealing();

  test.each([
    "/etc/ostiary/.secrets/SEALING_SECRET_FILE",
    "/run/secrets/ostiary-sealing-key-0001",
    "/Volumes/secrets/that/have/no/digits/ABCD",
    "./secrets/ostiary-sealing-key-000000001",
    "../secrets/ostiary-sealing-key-00000001",
    "~/secrets/ostiary-sealing-key-000000001",
    "~ostiary/secrets/sealing-key-0000000001",
    "file:///run/secrets/ostiary-sealing-key",
    "file:sealing-key-000000000000000000001",
    "C:\\secrets\\ostiary-sealing-key-0000001",
  ])("%s", (path) => {
    expect(() => sealing(path)).toThrow(/secrets\.sealing\[0\] .*: is the path of a file.*write \{file: …\}/);
    expect(() => sealing({ env: "SEAL" }, { SEAL: path })).toThrow("is the path of a file");
  });

  test("also where only the file that is there says so", () => {
    const path = writeSecret("a-name-of-more-than-thirty-two-characters", long("a"));
    const before = process.cwd();
    process.chdir(directory);
    try {
      expect(() => sealing("a-name-of-more-than-thirty-two-characters")).toThrow("is the path of a file");
      expect(sealing({ file: path })).toHaveLength(1);
    } finally {
      process.chdir(before);
    }
  });

  test.each([
    "database.url",
    "tenant_defaults.courier.email.smtp.url",
    "tenant_defaults.courier.email.smtp.password",
  ])("in %s", (key) => {
    const config = key
      .split(".")
      .reduceRight<unknown>((inner, name) => ({ [name]: inner }), "/run/secrets/it");
    expect(() => load(config as object)).toThrow(`${key} (ostiary.yaml:`);
    expect(() => load(config as object)).toThrow("is the path of a file");
  });

  test.each([
    "/5PLqkSbg1QJZ6yuOxkQ6Tq5m1tEJWtVvUo8nS3XcIM=",
    "/5PLqkSbg1QJZ6yuOxkQ/Tq5m1tEJWtVvUo8nS3XcIMabcdefghijklmnopqrstu",
    "~Z4&t2CyKuNp}qy2-0123456789abcdefghij",
    "/Z4&t2CyKuNp}qy2-0123456789abcdefghij",
  ])("but %s is one", (secret) => {
    expect(sealing(secret)[0]?.reveal()).toBe(secret);
  });
});

/** @see onetimesecret/onetimesecret#3610 */
describe("security rule (SR-SECRET-2): YAML cuts no secret without a word", () => {
  const open = (yaml: string) => {
    const file = join(directory, "ostiary.yaml");
    writeFileSync(file, yaml);
    return loadConfig({ file, environment: {}, flags: {}, workingDirectory: directory });
  };
  test.each([
    [
      `secrets: {sealing: [${long("a")},${long("b")}]}`,
      "secrets.sealing (ostiary.yaml:1): has a secret with a comma",
    ],
    [
      `secrets:\n  sealing:\n    - ${long("a")} #${long("b")}`,
      "secrets.sealing[0] (ostiary.yaml:3): has a # that",
    ],
    [`secrets: {sealing: [${"0123456789".repeat(4)}]}`, "put it in quotes"],
    [`secrets: {sealing: [~]}`, "has no value"],
    [
      `tenant_defaults: {oidc: {providers: [{id: a, client_id: a, client_secret: ${long("a")},${long("b")}}]}}`,
      "providers[0].client_secret (ostiary.yaml:1): has a secret with a comma",
    ],
    [
      `tenant_defaults: {courier: {email: {smtp: {password: ${long("a")},${long("b")}}}}}`,
      "email.smtp.password (ostiary.yaml:1): has a secret with a comma",
    ],
    [
      `tenant_defaults:\n  oidc:\n    providers:\n      - id: a\n        client_secret: ${long("a")} #${long("b")}`,
      "providers[0].client_secret (ostiary.yaml:5): has a # that",
    ],
  ])("%s", (yaml, message) => {
    expect(() => open(yaml)).toThrow(message);
    expect(() => open(yaml)).not.toThrow(/aaaa|bbbb|0123/);
  });

  test.each([
    [`secrets: {sealing: ["${long("a")},${long("b")}"]}`, [`${long("a")},${long("b")}`]],
    [`secrets: {sealing: [${long("a")}, ${long("b")}]}`, [long("a"), long("b")]],
    [
      `secrets:\n  sealing:\n    - ${long("a")} # of October\n    - '${long("b")}' #x`,
      [long("a"), long("b")],
    ],
  ])("but %s is clear", (yaml, expected) => {
    expect(
      open(yaml)
        .secrets.sealing()
        .map((secret) => secret.reveal()),
    ).toEqual(expected);
  });
});

/** A private key in PEM, of a curve or of so many bits. */
function privateKey(kind: "P-256" | "secp256k1" | 1024): string {
  const { privateKey: key } =
    kind === 1024
      ? generateKeyPairSync("rsa", { modulusLength: kind })
      : generateKeyPairSync("ec", { namedCurve: kind });
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

describe("the secrets of providers", () => {
  const client = { client_id: "ostiary", issuer: "https://idp.example.com" };
  const providers = (...list: object[]) => ({
    tenant_defaults: { oidc: { providers: list.map((provider) => ({ ...client, ...provider })) } },
  });

  test("come from the file itself, from a variable of any name, from a file; each provider has its own", () => {
    const pem = privateKey("P-256");
    writeSecret("key", pem);
    const { secrets, warnings } = load(
      providers(
        { id: "one", client_secret: "written" },
        { id: "two", client_id: "b", client_secret: { env: "OSTIARY_CLIENT_SECRET" } },
        { id: "three", client_id: "c", client_key: { file: "key" }, client_key_id: "1" },
        { id: "four", client_id: "d" },
      ),
      { OSTIARY_CLIENT_SECRET: "from outside" },
    );
    const revealed = ["one", "two", "three", "four", "five"].map((id) => {
      const { secret, key } = secrets.provider(id);
      return [secret?.reveal(), key?.reveal()];
    });
    expect(revealed).toEqual([
      ["written", undefined],
      ["from outside", undefined],
      [undefined, pem.trimEnd()],
      [undefined, undefined],
      [undefined, undefined],
    ]);
    expect(warnings).toEqual([]);
  });

  test("can be in a variable as a whole", () => {
    const value = JSON.stringify([{ ...client, id: "one", client_secret: "in the variable" }]);
    const { secrets } = load({}, { OSTIARY_TENANT_DEFAULTS_OIDC_PROVIDERS: value });
    expect(secrets.provider("one").secret?.reveal()).toBe("in the variable");
  });

  test("are read again on reload; what stayed the same stays the same object", () => {
    writeSecret("one", "first");
    const loaded = load(
      providers(
        { id: "one", client_secret: { file: "one" } },
        { id: "two", client_id: "b", client_secret: "x" },
      ),
    );
    const before = loaded.secrets.provider("two").secret;
    writeSecret("one", "second");
    loaded.reload();
    expect(loaded.secrets.provider("one").secret?.reveal()).toBe("second");
    expect(loaded.secrets.provider("two").secret).toBe(before);
    rmSync(join(directory, "one"));
    expect(() => loaded.reload()).toThrow(
      "tenant_defaults.oidc.providers[0].client_secret (ostiary.yaml:7): the file",
    );
    expect(loaded.secrets.provider("one").secret?.reveal()).toBe("second");
  });

  test("in a file that others may read are a warning", () => {
    const path = writeSecret("one", "a", 0o644);
    const { warnings } = load(providers({ id: "one", client_secret: { file: "one" } }));
    expect(warnings).toEqual([
      `tenant_defaults.oidc.providers[0].client_secret (ostiary.yaml:7): other accounts may read the file ${path}: chmod 600 it`,
    ]);
  });

  test.each<[string, () => object, RegExp]>([
    ["a path", () => ({ client_secret: "/run/secrets/it" }), /client_secret .*: is the path of a file/],
    [
      "a key in place of a secret",
      () => ({ client_secret: privateKey("P-256") }),
      /client_secret .*client_key/,
    ],
    ["a secret that is not ASCII", () => ({ client_secret: "hunter2ÿ" }), /client_secret .*printable ASCII/],
    [
      "a secret in place of a key",
      () => ({ client_key: "hunter2" }),
      /client_key .*must be a private key in PEM/,
    ],
    [
      "a broken key",
      () => ({ client_key: privateKey("P-256").replace(/[A-Za-z]{4}/, "hunter2") }),
      /client_key .*must be a private key in PEM/,
    ],
    [
      "a curve that no algorithm has",
      () => ({ client_key: privateKey("secp256k1") }),
      /P-256, P-384 and P-521/,
    ],
    ["a short RSA key", () => ({ client_key: privateKey(1024) }), /RSA key of at least 2048 bits/],
  ])("%s is refused, and not quoted", (_, given, message) => {
    const open = () => load(providers({ id: "one", client_key_id: "1", ...given() }));
    expect(open).toThrow(message);
    expect(open).toThrow("tenant_defaults.oidc.providers[0].client_");
    expect(open).not.toThrow(/hunter2|BEGIN|run\/secrets/);
  });
});

describe("security rule (SR-SECRET-1): secrets are never printed", () => {
  const signing = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
  const literals = {
    database: { url: "postgresql://ostiary:hunter2@db:5432/ostiary?sslmode=require&password=hunter2" },
    secrets: { sealing: [`hunter2${long("x")}`, { env: "SEAL" }] },
    tenant_defaults: {
      courier: {
        from_address: "a@example.com",
        email: { smtp: { host: "mail.example.com", user: "courier", password: "hunter2" } },
        sms: {
          http: { url: "https://sms.example.com/hunter2?key=hunter2", signing_secrets: [signing] },
          countries: ["DE"],
        },
      },
      oidc: {
        providers: [
          { id: "a", issuer: "https://idp.example.com", client_id: "a", client_secret: "hunter2" },
          { id: "b", issuer: "https://idp.example.com", client_id: "b", client_secret: { env: "SEAL" } },
          {
            ...{ id: "c", issuer: "https://idp.example.com", client_id: "c", client_key_id: "1" },
            client_key: privateKey("P-256"),
          },
        ],
      },
    },
  };

  test("not by config print, which shows the rest", () => {
    const printed = printConfig(load(literals, { SEAL: `hunter2${long("y")}` }), { sources: true });
    expect(printed).not.toMatch(/hunter2|BEGIN/);
    expect(printed).toContain('client_secret: "[secret]"');
    expect(printed).toContain('client_key: "[secret]"');
    expect(printed).toContain("url: https://sms.example.com/[secret]");
    expect(printed).toContain("url: https://api.pwnedpasswords.com");
    expect(printed).toContain(
      "postgresql://ostiary:[secret]@db:5432/ostiary?sslmode=require&password=[secret]",
    );
    expect(printed).toContain("- env: SEAL");
    expect(printed).toContain('- "[secret]"');
  });

  test("nor by a log of the loaded configuration", () => {
    const loaded = load(literals, { SEAL: `hunter2${long("y")}` });
    const seen = [inspect(loaded, { depth: 20, showHidden: true }), inspect(loaded.secrets.sealing())];
    seen.push(JSON.stringify(loaded, (_, value) => (typeof value === "bigint" ? String(value) : value)));
    expect(seen.join()).not.toMatch(/hunter2|BEGIN/);
    expect(loaded.secrets.databaseUrl()?.reveal()).toContain("hunter2");
  });

  test("nor in a problem with them", () => {
    const open = () => load({ database: { url: "hunter2" }, secrets: { sealing: ["hunter2", 123_456] } });
    expect(open).toThrow(/secrets\.sealing\[1\]/);
    expect(open).not.toThrow(/hunter2|123456/);
    const short = () => load({ database: { url: "hunter2" }, secrets: { sealing: ["hunter2"] } });
    expect(short).toThrow(/must have at least 32 characters/);
    expect(short).not.toThrow(/hunter2/);
  });
});

describe("the printed configuration", () => {
  test("is one that loads to the same", () => {
    writeSecret("one", long("a"));
    const loaded = load({
      server: { trusted_proxies: ["10.0.0.0/8"] },
      secrets: { sealing: [{ file: "one" }] },
      tenant_defaults: {
        session: { idle_timeout: "1h30m" },
        identity: {
          schemas: [{ id: "a", document: { type: "object", properties: {} }, self_service: false }],
        },
        oidc: {
          providers: [
            {
              ...{
                id: "a",
                issuer: "https://idp.example.com",
                client_id: "a",
                client_secret: { file: "one" },
              },
              ...{ timeout: "3s", keep_tokens: true, authorization_parameters: { prompt: "login" } },
              mapping: { public_metadata: { team: "claims.team" } },
            },
            { id: "b", issuer: "https://idp.example.com", client_id: "b", claims_source: "userinfo" },
          ],
        },
      },
    });
    const file = join(directory, "printed.yaml");
    writeFileSync(file, printConfig(loaded));
    const again = loadConfig({ file, environment: {}, flags: {}, workingDirectory: "/" });
    expect(again.config).toEqual(loaded.config);
  });
});

describe("the secret in the data directory", () => {
  test("is made at the first start, for this account only, and read at later ones", async () => {
    const { secrets } = load({ database: { data_directory: "data" } });
    expect(() => secrets.sealing()).toThrow("prepare()");
    await secrets.prepare();
    const path = join(directory, "data/sealing.key");
    expect(statSync(join(directory, "data")).mode & 0o777).toBe(0o700);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(directory, "data"))).toEqual(["sealing.key"]);
    const [secret] = secrets.sealing();
    expect(secret?.reveal()).toBe(readFileSync(path, "utf8").trim());
    const later = load({ database: { data_directory: "data" } }).secrets;
    await later.prepare();
    expect(later.sealing()[0]?.reveal()).toBe(secret?.reveal());
  });

  test("is not made where one is configured", async () => {
    const { secrets } = load({ database: { data_directory: "data" }, secrets: { sealing: [long("a")] } });
    await secrets.prepare();
    expect(secrets.sealing()).toHaveLength(1);
    expect(readdirSync(directory)).toEqual(["ostiary.yaml"]);
  });

  test("is the same for sixteen that start at once", async () => {
    const made = await Promise.all(
      Array.from({ length: 16 }, () => ensureLocalSecrets(join(directory, "data"))),
    );
    expect(new Set(made.map((secret) => secret.reveal())).size).toBe(1);
    expect(readdirSync(join(directory, "data"))).toEqual(["sealing.key"]);
  });

  test("is never made anew over a damaged one, because what it sealed would be lost", async () => {
    writeSecret("sealing.key", "damaged\n");
    await expect(ensureLocalSecrets(directory)).rejects.toThrow("is damaged");
    expect(readFileSync(join(directory, "sealing.key"), "utf8")).toBe("damaged\n");
  });

  test("cannot be made where a file is in the way, and one line says so", async () => {
    writeSecret("file", "");
    await expect(ensureLocalSecrets(join(directory, "file"))).rejects.toThrow(
      /sealing\.key .*not a directory/,
    );
  });
});
