import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { Client } from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { readDatabaseUrl } from "./database-url.ts";

const directory = mkdtempSync(join(tmpdir(), "ostiary-url-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const authority = join(directory, "ca.crt");
writeFileSync(authority, rootCertificates[0] ?? "");
const nonsense = join(directory, "nonsense.crt");
writeFileSync(nonsense, "nonsense");

const base = "postgresql://ostiary:hunter2@db.example.com:5432/ostiary";

function refusal(url: string): string {
  const read = readDatabaseUrl(url);
  return read.kind === "wrong" ? read.message : "";
}

function driverOf(url: string) {
  const read = readDatabaseUrl(url);
  if (read.kind === "wrong") throw new Error(read.message);
  return { ...read, client: new Client({ connectionString: read.url }) };
}

describe("parameters", () => {
  test.each([
    ["sslmod=verify-full", "sslmod, which is not known; did you mean sslmode?"],
    ["sslMode=verify-full", "did you mean sslmode?"],
    ["sslrootcrt=/x", "did you mean sslrootcert?"],
    ["pool_max=3", "database.pool_size"],
    ["connect_timeout=5", "database.acquire_timeout"],
    ["pgbouncer=true", "leave it out"],
    ["target_session_attrs=read-write", "leave it out"],
    ["uselibpqcompat=true&sslmode=require", "leave it out"],
    ["anything=1", "anything, which is not known; known are host, port"],
    ["sslmode=verify_full", "did you mean verify-full?"],
    ["sslmode=nonsense", "an sslmode that is not known"],
    ["sslmode=", "an sslmode that is not known"],
    ["ssl=yes", "neither true nor false"],
    ["ssl=true&sslmode=disable", "both ssl and sslmode"],
    ["sslmode=disable&sslmode=verify-full", "sslmode twice"],
    ["channel_binding=require", "channel_binding=require without TLS"],
    ["channel_binding=require&sslmode=disable", "channel_binding=require without TLS"],
    ["channel_binding=nonsense", "channel_binding that is not known"],
    ["statement_timeout=soon", "statement_timeout that is no whole number"],
    ["sslnegotiation=nonsense", "sslnegotiation"],
    ["sslnegotiation=direct&sslmode=disable", "sslnegotiation"],
    ["sslmode=verify-full&sslrootcert=/nowhere/ca.crt", "the file /nowhere/ca.crt does not exist"],
    [`sslmode=verify-full&sslrootcert=${nonsense}`, `the file ${nonsense} has no certificate`],
    ["sslmode=disable&sslrootcert=system", "sslmode=verify-full with sslrootcert=system"],
    ["sslcert=/nowhere/a.crt", "both sslcert and sslkey"],
    ["sslcert=/nowhere/a.crt&sslkey=/nowhere/a.key", "the file /nowhere/a.crt does not exist"],
  ])("%s is refused", (parameters, message) => {
    expect(refusal(`${base}?${parameters}`)).toContain(message);
    expect(refusal(`${base}?${parameters}`)).not.toContain("hunter2");
  });

  test.each([
    ["options=-c%20search_path=foo -cdefault_transaction_isolation=serializable", "options"],
    ["application_name=a@b", "application_name"],
    ["statement_timeout=5000", "statement_timeout"],
  ])("%s is taken", (parameters) => {
    const { client } = driverOf(`${base}?${parameters}`);
    const { connectionParameters } = client as unknown as { connectionParameters: Record<string, unknown> };
    for (const [name, value] of new URLSearchParams(parameters)) {
      expect(connectionParameters[name]).toBe(value);
      expect(driverOf(`${base}?${parameters}&sslmode=require`).client).toMatchObject({
        connectionParameters: { [name]: value },
      });
    }
  });
});

describe("encryption", () => {
  test.each([
    ["sslmode=verify-full", true],
    ["sslmode=verify-ca", true],
    ["sslmode=require", true],
    ["sslmode=prefer", true],
    ["sslmode=allow", true],
    ["ssl=true", true],
    ["sslrootcert=system", true],
    ["sslmode=verify-full&sslrootcert=system", true],
    [`sslrootcert=${authority}`, true],
    ["sslnegotiation=direct", true],
    ["sslmode=require&channel_binding=require", true],
    ["sslmode=no-verify", false],
    ["sslmode=disable", false],
    ["ssl=false", false],
    ["ssl=0", false],
    ["application_name=x", false],
  ])("%s: checks the server's certificate: %s", (parameters, isProtected) => {
    const warnings: unknown[] = [];
    const keep = (warning: unknown) => warnings.push(warning);
    process.on("warning", keep);
    const { client, ...read } = driverOf(`${base}?${parameters}`);
    process.off("warning", keep);
    expect(read.isProtected).toBe(isProtected);
    const ssl: unknown = client.ssl;
    const isVerified = typeof ssl === "object" && ssl !== null && !("rejectUnauthorized" in ssl);
    expect(isVerified).toBe(isProtected);
    expect(warnings).toEqual([]);
  });

  test.each([
    "postgresql://u:p@localhost/db",
    "postgresql://u:p@127.0.0.1:5432/db",
    "postgresql://u:p@[::1]/db",
    "postgresql://u:p@/db?host=/run/postgresql",
    "postgresql://u:p@%2Frun%2Fpostgresql/db",
    "postgresql:///db?host=%2Frun%2Fpostgresql",
  ])("%s stays on this machine and needs none", (url) => {
    expect(driverOf(url).isProtected).toBe(true);
  });

  test.each([
    "postgresql://u:p@localhost.example.com/db",
    "postgresql://u:p@localhost/db?host=db.example.com",
  ])("%s leaves it", (url) => {
    expect(driverOf(url).isProtected).toBe(false);
  });
});

test.each([
  ["postgresql://u:hunter2@a:1,b:2/db", "several hosts"],
  ["postgresql://u:hunter2@a/db#x", "no fragment"],
  ["postgresql://u:hunter2@a:99999/db", "must be a URL"],
  ["mysql://u:hunter2@a/db", "must be a URL"],
  ["host=a password=hunter2", "must be a URL"],
  ["postgresql://u:hunter2@a/100%", "must be written as %25"],
  ["postgresql://u:x?hunter2=3@a/db", "? as %3F"],
])("%s is refused", (url, message) => {
  expect(refusal(url)).toContain(message);
  expect(refusal(url)).not.toContain("hunter2");
});
