import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { prepare } from "./app-prepare.ts";
import { knownScopes } from "./app-services.ts";
import type { LoadedConfig } from "./config/load-config.ts";
import { loadConfig } from "./config/load-config.ts";

const loaded = loadConfig({ environment: {}, flags: {} });

/** The default configuration with a client certificate of these scopes. */
function withScopes(scopes: string[]): LoadedConfig {
  const clientCertificates = [
    { scopes },
  ] as unknown as LoadedConfig["config"]["access"]["clientCertificates"];
  return { ...loaded, config: { ...loaded.config, access: { ...loaded.config.access, clientCertificates } } };
}

test("the known scopes are those of the contract, of the metrics and of reports of mail", () => {
  const files = readdirSync("proto/ostiary", { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".proto"),
  );
  const text = files.map((name) => readFileSync(join("proto/ostiary", name), "utf8")).join("\n");
  const declared = [...text.matchAll(/scope: "([a-z_:]+)"/g)].map((match) => match[1]);
  expect(new Set(knownScopes)).toEqual(new Set([...declared, "metrics:read", "courier:report"]));
});

test.each(["*", "identity:*", "identity:read", "metrics:read", "metrics:*", "session:revoke"])(
  "a certificate may have the scope %s",
  async (scope) => {
    await expect(prepare({ config: withScopes([scope]) })).resolves.toBeDefined();
  },
);

test.each([
  ["identties:read", "did you mean identity:read?"],
  ["identity:raed", "did you mean identity:read?"],
  ["sessions:*", "is no permission"],
])("and not %s, which gives nothing", async (scope, hint) => {
  const outcome = prepare({ config: withScopes(["session:read", scope]) });
  await expect(outcome).rejects.toThrow(/^access\.client_certificates\[0\]\.scopes/);
  await expect(outcome).rejects.toThrow(hint);
});
