import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  postgresProcessesOf,
  postmasterPid,
  processStartTime,
} from "../../src/storage/embedded/processes.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/storage/embedded-postgres.ts";
import { administer, silentLogger } from "../support/postgres.ts";

/** Directories are of one folder, removed at the end; one holds a database already. */
let root: string;
let used: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "ostiary-embedded-"));
  used = join(root, "used");
  await (await start(used)).stop();
});
afterAll(() => rm(root, { recursive: true, force: true }));

let running: EmbeddedPostgres[];
let children: ChildProcess[];
beforeEach(() => {
  running = [];
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(running.map((postgres) => postgres.stop()));
});

/** A directory like `used`: to copy it takes a tenth of the time of making one. */
async function copyOfUsed(name: string): Promise<string> {
  const directory = join(root, name);
  await promisify(execFile)("cp", ["-a", used, directory]);
  return directory;
}

function start(
  dataDirectory: string,
  options: { readonly transport?: "tcp" } = {},
): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataDirectory, logger: silentLogger, ...options });
}

async function started(...parameters: Parameters<typeof start>): Promise<EmbeddedPostgres> {
  const postgres = await start(...parameters);
  running.push(postgres);
  return postgres;
}

/** Another process that runs the embedded PostgreSQL until it is killed. */
async function startElsewhere(dataDirectory: string): Promise<ChildProcess> {
  const module = resolve(import.meta.dirname, "../../src/storage/embedded-postgres.ts");
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(`file://${module}`)};
    const quiet = () => {};
    const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    await startEmbeddedPostgres({ dataDirectory: ${JSON.stringify(dataDirectory)}, logger });
    console.log("ready");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  if (!child.stdout) throw new Error("no output");
  for await (const line of createInterface({ input: child.stdout })) if (line === "ready") break;
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    await new Promise((resolve) => child.once("exit", resolve));
  }
}

describe("the embedded PostgreSQL", () => {
  test("starts in a new directory, keeps its data over a restart, and stops for good", async () => {
    const directory = join(root, "fresh", "deep");
    const first = await started(directory);
    await administer(first.url, (query) => query("CREATE TABLE kept AS SELECT 42 AS answer"));
    await first.stop();
    expect(await first.exited).toBe(0);
    expect(await postmasterPid(join(directory, "postgres"))).toBeUndefined();
    const second = await started(directory);
    const rows = await administer(second.url, (query) => query("SELECT answer FROM kept"));
    expect(rows).toEqual([{ answer: 42 }]);
    expect(second.url).toBe(first.url);
  });

  test("is durable, and listens on no network", async () => {
    const { superuserUrl } = await started(used);
    const settings = await administer(superuserUrl, (query) =>
      query("SELECT name, setting FROM pg_settings WHERE name = ANY ($1) ORDER BY name", [
        ["fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "server_encoding"],
      ]),
    );
    expect(settings).toEqual([
      { name: "fsync", setting: "on" },
      { name: "full_page_writes", setting: "on" },
      { name: "listen_addresses", setting: "" },
      { name: "server_encoding", setting: "UTF8" },
      { name: "synchronous_commit", setting: "on" },
    ]);
  });

  // Security: another user of the same machine gets neither in by the socket nor at the files.
  test("demands its password, keeps it to its owner, and gives the server a role without privileges", async () => {
    const { url } = await started(used);
    const wrong = new URL(url);
    wrong.password = "guess";
    await expect(administer(wrong.href, (query) => query("SELECT 1"))).rejects.toThrow(/password/);
    const mode = async (name: string) => (await stat(join(used, name))).mode & 0o777;
    expect(await mode("postgres-password")).toBe(0o600);
    expect(await mode("postgres")).toBe(0o700);
    expect(await mode("run")).toBe(0o700);
    expect(await readdir(used)).not.toContain("postgres.password");
    const [role] = await administer(url, (query) =>
      query("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"),
    );
    expect(role).toEqual({ rolsuper: false, rolcreaterole: false, rolcreatedb: false });
  });

  test("runs in a directory whose path is too long for a socket, and removes its temporary folder", async () => {
    const directory = join(root, "long", "x".repeat(120));
    const postgres = await started(directory);
    await administer(postgres.url, (query) => query("SELECT 1"));
    const socketDirectory = new URL(postgres.url).searchParams.get("host") ?? "";
    expect(socketDirectory.startsWith(directory)).toBe(false);
    expect((await stat(socketDirectory)).mode & 0o777).toBe(0o700);
    await postgres.stop();
    await expect(stat(socketDirectory)).rejects.toThrow("ENOENT");
  });

  test.each(['with blank, comma and "quote"', "with 'apostrophe' and ümlaut"])(
    "runs in a directory %s",
    async (name) => {
      const { url } = await started(join(root, name));
      expect(await administer(url, (query) => query("SELECT 1 AS one"))).toEqual([{ one: 1 }]);
    },
  );

  test("runs on a loopback port where sockets are not possible", async () => {
    const { url } = await started(used, { transport: "tcp" });
    expect(new URL(url).hostname).toBe("127.0.0.1");
    expect(await administer(url, (query) => query("SELECT 1 AS one"))).toEqual([{ one: 1 }]);
  });

  test.runIf(process.getuid?.() === 0)("runs for root in a folder that only root may enter", async () => {
    const closed = join(root, "closed");
    await mkdir(closed, { mode: 0o700 });
    const { url } = await started(join(closed, "data"));
    expect(await administer(url, (query) => query("SELECT 1 AS one"))).toEqual([{ one: 1 }]);
    expect((await stat(closed)).mode & 0o777).toBe(0o700);
  });
});

describe("two servers on one data directory", () => {
  test("the second one says which process has it, and nothing happens", async () => {
    const child = await startElsewhere(used);
    await expect(start(used)).rejects.toThrow(`is already in use by process ${child.pid}`);
    child.kill("SIGKILL");
    await ended(child);
  });

  test("the same holds within one process", async () => {
    const { url } = await started(used);
    await expect(start(used)).rejects.toThrow(`is already in use by process ${process.pid}`);
    await administer(url, (query) => query("SELECT 1"));
  });

  test("of 8 that find the lock of a dead process one gets it", async () => {
    const directory = join(root, "contested");
    await mkdir(directory);
    const dead = `ostiary.lock.${process.pid}.1.${"0".repeat(16)}`;
    await writeFile(join(directory, dead), "");
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => start(directory)));
    for (const result of results) if (result.status === "fulfilled") running.push(result.value);
    expect(running).toHaveLength(1);
    const locks = (await readdir(directory)).filter((name) => name.startsWith("ostiary.lock"));
    expect(locks).toHaveLength(1);
    expect(locks).not.toContain(dead);
  });
});

describe("after kill -9 of the server", () => {
  test("PostgreSQL stops by itself", async () => {
    const child = await startElsewhere(used);
    const pid = (await postmasterPid(join(used, "postgres"))) ?? 0;
    expect(await processStartTime(pid)).not.toBe("");
    child.kill("SIGKILL");
    await ended(child);
    const begin = performance.now();
    while ((await processStartTime(pid)) !== "") {
      expect(performance.now() - begin).toBeLessThan(25_000);
      await delay(10);
    }
  });

  test("the next start recovers, also if it comes at once, and nothing is lost", async () => {
    for (let round = 0; round < 3; round++) {
      const child = await startElsewhere(used);
      child.kill("SIGKILL");
      await ended(child);
      const { url, stop } = await start(used);
      await administer(url, (query) => query("CREATE TABLE IF NOT EXISTS rounds (n int)"));
      await administer(url, (query) => query("INSERT INTO rounds VALUES ($1)", [round]));
      await stop();
    }
    const { url } = await started(used);
    expect(await administer(url, (query) => query("SELECT n FROM rounds ORDER BY n"))).toHaveLength(3);
  });

  test("a postmaster.pid that names somebody else's process by now is not obeyed, and the process lives", async () => {
    const directory = await copyOfUsed("stale-pid");
    const bystander = spawn("sleep", ["60"], { stdio: "ignore" });
    children.push(bystander);
    await writeFile(
      join(directory, "postgres", "postmaster.pid"),
      `${bystander.pid}\n${join(directory, "postgres")}\n1\n5432\n\n\n`,
    );
    await started(directory);
    expect(bystander.exitCode).toBeNull();
    expect(bystander.signalCode).toBeNull();
  });

  test("a folder that was left half made is made again", async () => {
    const directory = join(root, "half");
    await mkdir(join(directory, "postgres.new", "base"), { recursive: true });
    await started(directory);
    expect(await readdir(directory)).not.toContain("postgres.new");
  });
});

describe("when PostgreSQL dies", () => {
  const cluster = () => join(used, "postgres");

  /** Kills its first process, and waits until another one answers at the same address. */
  async function killAndAwait(url: string): Promise<void> {
    const pid = (await postmasterPid(cluster())) ?? 0;
    process.kill(pid, "SIGKILL");
    const begin = performance.now();
    for (;;) {
      const alive = await administer(url, (query) => query("SELECT 1")).catch(() => undefined);
      if (alive && (await postmasterPid(cluster())) !== pid) return;
      expect(performance.now() - begin).toBeLessThan(25_000);
      await delay(10);
    }
  }

  test("it is started again at the same address", async () => {
    const postgres = await started(used);
    await killAndAwait(postgres.url);
    await postgres.stop();
    expect(await postgresProcessesOf(cluster())).toEqual([]);
  });

  /** A process of the cluster beside its first one. */
  async function childOf(first: number | undefined): Promise<number> {
    const child = (await postgresProcessesOf(cluster())).find((pid) => pid !== first);
    if (child === undefined) throw new Error("PostgreSQL has no processes beside its first one");
    return child;
  }

  // A child that waits for a lock of a dead one never notices; a stopped one stands in for it here.
  test("a child that does not notice cannot keep it from starting again", async () => {
    const postgres = await started(used);
    const child = await childOf(await postmasterPid(cluster()));
    process.kill(child, "SIGSTOP");
    await killAndAwait(postgres.url);
    expect(await processStartTime(child)).toBe("");
  });

  test.runIf(process.platform === "linux")("nor can it after the server was killed as well", async () => {
    const server = await startElsewhere(used);
    const first = (await postmasterPid(cluster())) ?? 0;
    const child = await childOf(first);
    process.kill(child, "SIGSTOP");
    server.kill("SIGKILL");
    process.kill(first, "SIGKILL");
    await ended(server);
    await started(used);
    expect(await processStartTime(child)).toBe("");
  });
});

test("the terminal's Ctrl-C does not reach PostgreSQL: it is in a group of its own", async () => {
  await started(used);
  const pid = (await postmasterPid(join(used, "postgres"))) ?? 0;
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  expect(Number(fields[2])).toBe(pid);
});

describe("a data directory that cannot be used is refused in one line, and left as it is", () => {
  async function refusal(directory: string): Promise<string> {
    const error = await started(directory).catch((e: unknown) => e);
    if (!(error instanceof Error)) throw new Error("it started");
    expect(error.message).not.toContain("\n");
    return error.message;
  }

  test("data of an older major version", async () => {
    const directory = join(root, "older");
    await mkdir(join(directory, "postgres"), { recursive: true });
    await writeFile(join(directory, "postgres", "PG_VERSION"), "16\n");
    expect(await refusal(directory)).toMatch(/written by PostgreSQL 16.*Nothing was changed.*pg_dump/);
    expect(await readdir(directory, { recursive: true })).toEqual(["postgres", "postgres/PG_VERSION"]);
  });

  test("a database whose password is gone", async () => {
    const directory = await copyOfUsed("no-password");
    await rm(join(directory, "postgres-password"));
    expect(await refusal(directory)).toMatch(/postgres-password is missing: put it back/);
  });

  test("a path that is too long", async () => {
    expect(await refusal(join(root, "x".repeat(300)))).toMatch(/its path is too long$/);
  });

  test("a folder that is not a database", async () => {
    const directory = join(root, "foreign");
    await mkdir(join(directory, "postgres"), { recursive: true });
    await writeFile(join(directory, "postgres", "holiday.jpg"), "");
    expect(await refusal(directory)).toMatch(/is not empty, and holds no PostgreSQL database/);
    expect(await readdir(join(directory, "postgres"))).toEqual(["holiday.jpg"]);
  });

  test("a file in place of the directory", async () => {
    const file = join(root, "file");
    await writeFile(file, "");
    expect(await refusal(file)).toMatch(/there is a file of that name/);
    expect(await refusal(join(file, "below"))).toMatch(/there is a file of that name/);
  });

  test("a damaged database says what PostgreSQL said", async () => {
    const directory = await copyOfUsed("damaged");
    await rm(join(directory, "postgres", "global", "pg_control"));
    expect(await refusal(directory)).toMatch(/did not start: .*(pg_control|control file)/);
  });

  test.runIf(process.getuid?.() !== 0)("a directory without permission", async () => {
    const directory = join(root, "unreadable");
    await mkdir(directory);
    await chmod(directory, 0o000);
    expect(await refusal(join(directory, "data"))).toMatch(/permission denied/);
  });

  test.runIf(process.platform === "linux")("a file system that refuses writes", async () => {
    expect(await refusal("/proc/ostiary")).toMatch(/\/proc\/ostiary/);
  });
});
