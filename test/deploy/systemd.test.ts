import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isInstalled, outputOf, runProgram } from "../support/foreign.ts";

const withSystemd = await isInstalled("systemd-analyze", ["--version"]);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ostiary-deploy-"));
});
afterAll(() => rm(folder, { recursive: true }));

const readUnit = () => readFile("deploy/systemd/ostiary.service", "utf8");
const settingOf = (unit: string, name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(unit)?.[1] ?? "";

describe.runIf(withSystemd)("the unit (systemd-analyze)", () => {
  test("is understood as a whole", async () => {
    // Where nothing is installed, its program is another one.
    const unit = (await readUnit()).replace("/opt/ostiary/bin/ostiary", "/bin/true");
    const file = join(folder, "ostiary.service");
    await writeFile(file, unit);
    const { stdout, stderr, failed } = await runProgram("systemd-analyze", ["verify", "--man=no", file]);
    expect(`${stdout}${stderr}`.split("\n").filter((line) => line.includes("ostiary"))).toEqual([]);
    expect(failed).toBe(false);
    await writeFile(file, unit.replace("ProtectHome=yes", "ProtectHomes=yes"));
    expect((await runProgram("systemd-analyze", ["verify", "--man=no", file])).stderr).toContain(
      "ProtectHomes",
    );
  });

  test("gives the server next to nothing: at most 2.0 of 10", async () => {
    const args = [
      "security",
      "--offline=true",
      "--no-pager",
      "--threshold=20",
      "deploy/systemd/ostiary.service",
    ];
    expect(await outputOf("systemd-analyze", args)).toContain("Overall exposure level");
  });
});

test("the unit leaves the server the time to stop, and knows its signals", async () => {
  const unit = await readUnit();
  const config = await readFile("proto-config/ostiary/config/v1/config.proto", "utf8");
  const shutdown = /shutdown_timeout = \d+ \[\s*\(default_yaml\) = "(\d+)s"/.exec(config)?.[1];
  expect(Number.parseInt(settingOf(unit, "TimeoutStopSec"), 10)).toBeGreaterThan(Number(shutdown) + 20);
  expect(settingOf(unit, "ExecReload")).toContain("-HUP");
  expect(settingOf(unit, "KillMode")).toBe("mixed");
});

test("the unit's configuration can be served", async () => {
  const text = await readFile("deploy/systemd/ostiary.yaml", "utf8");
  const secrets = {
    "database-url": "postgresql://ostiary:password@localhost/ostiary",
    "sealing-key": "s".repeat(32),
    "smtp-url": "smtps://user:password@mail.example.com",
  };
  for (const [name, secret] of Object.entries(secrets))
    await writeFile(join(folder, name), secret, { mode: 0o600 });
  const file = join(folder, "ostiary.yaml");
  await writeFile(file, text.replaceAll("/etc/ostiary/secrets", folder));
  expect(await outputOf("bin/ostiary", ["config", "check", "--config", file])).toContain("OK");
});
