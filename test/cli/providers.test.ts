import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { runInProcess, runOstiary } from "./run-ostiary.ts";

let directory: string;

const mapping = {
  traits: { email: "claims.email.lowerAscii()", name: "claims.name" },
  public_metadata: { city: "claims.address.locality", plan: { id: "claims.plan" } },
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ostiary-cli-"));
  const providers = [
    { id: "google", client_id: "c", client_secret: "s", mapping },
    { id: "github", client_id: "c", client_secret: "s" },
  ];
  writeFileSync(join(directory, "ostiary.yaml"), stringify({ tenant_defaults: { oidc: { providers } } }), {
    mode: 0o600,
  });
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const words = (...more: string[]) => ["providers", "map", "--config", "ostiary.yaml", ...more];
const run = (more: string[], input?: string) =>
  runInProcess(words(...more), { directory, ...(input !== undefined && { input }) });

const claims = {
  email: "Ada@Example.com",
  email_verified: true,
  address: { locality: "London" },
  picture: "x".repeat(5000),
};

const lines = [
  'traits.email            "ada@example.com"',
  "traits.name             left out: there is no `name`",
  'verified_addresses      ["Ada@Example.com"]',
  'public_metadata.city    "London"',
  "public_metadata.plan.id  left out: there is no `plan`",
  'account                 "Ada@Example.com"',
  "claims.picture          ignored: it has more than 4096 characters",
];
const columns = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/ {2,}/, "  "));

describe("providers map", () => {
  test("prints what a file of claims would become, or why it would not", async () => {
    writeFileSync(join(directory, "claims.json"), JSON.stringify(claims));
    const { code, stdout, stderr } = await run(["--provider", "google", "--claims", "claims.json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(columns(stdout)).toEqual(columns(lines.join("\n")));
  });

  test("reads standard input", async () => {
    const { code, stdout } = await runOstiary(words("--provider", "google"), {
      directory,
      input: JSON.stringify(claims),
    });
    expect(code).toBe(0);
    expect(columns(stdout)).toEqual(columns(lines.join("\n")));
  });

  test.each([
    [
      "an unknown provider",
      ["--provider", "gogle"],
      "{}",
      "there is no provider gogle; there is google, github",
    ],
    ["no provider", [], "{}", "required option '--provider <id>' not specified"],
    [
      "what is no JSON, without a part of it",
      ["--provider", "google"],
      "s3cr3t",
      "standard input has no JSON object; claims are a JSON object, such as the payload of an ID token",
    ],
    [
      "what is no object",
      ["--provider", "google"],
      "[1]",
      "standard input has no JSON object; claims are a JSON object, such as the payload of an ID token",
    ],
    [
      "too much of it",
      ["--provider", "google"],
      `{"a":"${"x".repeat(1024 * 1024)}"}`,
      "standard input has more than 1048576 bytes; claims are a JSON object, such as the payload of an ID token",
    ],
    [
      "a file that is not there",
      ["--provider", "google", "--claims", "none.json"],
      "",
      expect.stringMatching(/none\.json/),
    ],
  ])("refuses %s", async (_, more, input, message) => {
    const { code, stdout, stderr } = await run(more, input);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.trimEnd().replace(/^ostiary: /, "")).toEqual(message);
    expect(stderr).not.toContain("s3cr3t");
  });
});
