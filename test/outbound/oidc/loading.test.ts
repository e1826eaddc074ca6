import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Prints the packages that loading a module loads, each on a line. */
const printPackages = `
import { registerHooks } from "node:module";
const packages = new Set();
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    packages.add(/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(resolved.url)?.[1]);
    return resolved;
  },
});
const module = await import(process.argv[1]);
if (process.argv[2] !== undefined) await import(process.argv[2]);
console.log(JSON.stringify([...packages].filter(Boolean)));
`;

async function packagesOf(...modules: string[]): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    "--input-type=module",
    "--eval",
    printPackages,
    ...modules,
  ]);
  return JSON.parse(stdout);
}

test("a server without providers loads none of the libraries for them, which cost time and memory", async () => {
  const client = `${process.cwd()}/src/outbound/oidc/provider-client.ts`;
  expect(await packagesOf(client)).toEqual([]);
  // The control: it would see them.
  expect(await packagesOf(client, "openid-client")).toEqual(
    expect.arrayContaining(["openid-client", "oauth4webapi", "jose"]),
  );
});
