// operations/full: the disk of the database is full, and a log that spoke of a network sent whoever was on call astray.
import { execFile } from "node:child_process";
import { chown, mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { type LogLine, startTestApp, type TestApp } from "../support/app.ts";
import { Caller, resultOf, tokenIn } from "../support/caller.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { administer } from "../support/postgres.ts";

const run = promisify(execFile);

/** A small disk, if this account may mount one. */
const disk = await mountDisk();
const tablespace = `small_${process.pid}`;
let database: TestDatabase;
let app: TestApp;
const log: LogLine[] = [];

async function mountDisk(): Promise<string | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const directory = await mkdtemp(join(tmpdir(), "ostiary-disk-"));
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=48m", "tmpfs", directory]);
    return directory;
  } catch {
    await rm(directory, { recursive: true });
    return undefined;
  }
}

const nameOf = ({ url }: TestDatabase) => new URL(url).pathname.slice(1);
/** As an administrator of another database of the cluster. */
const elsewhere = <T>(work: Parameters<typeof administer<T>>[1]) => {
  const url = new URL(database.url);
  url.pathname = "/postgres";
  return administer(url.href, work);
};

beforeAll(async () => {
  if (disk === undefined) return;
  database = await createTestDatabase();
  const [{ data_directory: data = "" } = {}] = await administer(database.url, (query) =>
    query<{ data_directory: string }>("SHOW data_directory"),
  );
  const { uid, gid } = await stat(data);
  const place = join(disk, "tables");
  await mkdir(place);
  await chown(place, uid, gid);
  await elsewhere(async (query) => {
    await query(`CREATE TABLESPACE ${tablespace} LOCATION '${place}'`);
    await query(`ALTER DATABASE ${nameOf(database)} SET TABLESPACE ${tablespace}`);
  });
  app = await startTestApp({ databaseUrl: database.url, log });
});

afterAll(async () => {
  if (disk === undefined) return;
  await app.stop();
  await database.drop();
  await elsewhere((query) => query(`DROP TABLESPACE ${tablespace}`));
  await run("umount", [disk]);
  await rm(disk, { recursive: true });
});

/** Fills the disk to its last block. */
async function fill(): Promise<void> {
  await administer(database.url, async (query) => {
    await query("CREATE TABLE public.filler (content text)");
    for (let bytes = 1_000_000; bytes >= 8_000; bytes = Math.floor(bytes / 2)) {
      const insert = `INSERT INTO public.filler SELECT repeat(md5(n::text), 60) FROM generate_series(1, ${Math.ceil(bytes / 2_000)}) n`;
      for (let isRoom = true; isRoom; ) {
        isRoom = await query(insert).then(
          () => true,
          (error: { code?: string }) => {
            expect(error.code).toBe("53100");
            return false;
          },
        );
      }
    }
  });
}

test.skipIf(disk === undefined)(
  "a full disk refuses what is written, lets sessions be checked, is named in the log, and loses nothing",
  async () => {
    const caller = new Caller(app);
    const acknowledged: string[] = [];
    const register = async () => {
      const email = freshEmail();
      const answer = await caller.register(email);
      if (resultOf(answer) === "completed") acknowledged.push(email);
      return answer;
    };
    const token = tokenIn(await register());
    await fill();
    const refusals = new Set<string>();
    // Some rows still find room in blocks that are there.
    for (let attempt = 0; attempt < 500 && refusals.size === 0; attempt++) {
      const answer = await register();
      if (answer.status !== 200) refusals.add(`${answer.status} ${answer.reason}`);
    }
    expect([...refusals]).toEqual(["503 DATABASE_UNAVAILABLE"]);
    expect((await caller.check(token)).status).toBe(200);
    expect(log.filter(({ fields }) => "sqlState" in fields && fields.sqlState === "53100")).toMatchObject([
      { level: "warn", message: "the database's disk is full" },
    ]);

    await administer(database.url, (query) => query("DROP TABLE public.filler"));
    await register();
    expect(acknowledged.length).toBeGreaterThan(1);
    for (const email of acknowledged) expect(resultOf(await caller.logIn(email))).toBe("completed");
  },
  120_000,
);
