import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createSecureContext, TLSSocket } from "node:tls";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DomainError } from "../../src/domain/errors.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import { clientOf } from "../../src/storage/connection.ts";
import { postmasterPid } from "../../src/storage/embedded/processes.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/storage/embedded-postgres.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { makeCertificateFolder } from "../support/certificates.ts";
import { createTestDatabase, defaultTestOptions, openTestStorage } from "../support/database.ts";
import { administer, databaseUrl, silentLogger } from "../support/postgres.ts";
import { anEvent, anIdentity, noon } from "../support/records.ts";

const unavailable = { name: "DomainError", reason: "DATABASE_UNAVAILABLE", retryAfterMs: 1000 };

/** Asks until the database answers; how long that took. */
async function untilAnswered(storage: Storage): Promise<number> {
  const begin = performance.now();
  for (;;) {
    try {
      await storage.ping();
      return performance.now() - begin;
    } catch (error) {
      expect(error).toMatchObject(unavailable);
      await delay(10);
    }
  }
}

describe("an embedded PostgreSQL that is killed", () => {
  let dataDirectory: string;
  let postgres: EmbeddedPostgres;
  let storage: Storage;
  let scope: TenantScope;
  beforeAll(async () => {
    dataDirectory = await mkdtemp(join(tmpdir(), "ostiary-outage-"));
    postgres = await startEmbeddedPostgres({ dataDirectory, logger: silentLogger });
    storage = await openStorage({ ...defaultTestOptions, poolSize: 5, url: postgres.url });
    await storage.migrate();
    scope = { tenantId: await storage.ensureTenant("default", noon) };
  });
  afterAll(async () => {
    await storage.close();
    await postgres.stop();
    await rm(dataDirectory, { recursive: true, force: true });
  });

  async function kill(): Promise<void> {
    const pid = await postmasterPid(join(dataDirectory, "postgres"));
    if (pid === undefined) throw new Error("PostgreSQL is not running");
    process.kill(pid, "SIGKILL");
    // Until then the old one's answers would be taken for the new one's.
    while ((await postmasterPid(join(dataDirectory, "postgres"))) === pid) await delay(5);
  }

  // Within two seconds on an idle machine; how long it takes on a busy one says nothing.
  test("is back by itself, without restarting anything", async () => {
    await kill();
    expect(await untilAnswered(storage)).toBeGreaterThan(0);
  });

  test("ten times under load loses no write that was acknowledged", async () => {
    const acknowledged: string[] = [];
    const failures: unknown[] = [];
    let running = true;
    const writers = Array.from({ length: 8 }, async () => {
      while (running) {
        const identity = anIdentity();
        try {
          await storage.identities.create(scope, identity, [], [anEvent("identity.created")]);
          acknowledged.push(identity.id);
        } catch (error) {
          failures.push(error);
          // Each try is a new process of the PostgreSQL that starts.
          await delay(50);
        }
      }
    });
    for (let round = 0; round < 10; round++) {
      const target = acknowledged.length + 20;
      while (acknowledged.length < target) await delay(5);
      await kill();
      await untilAnswered(storage);
    }
    running = false;
    await Promise.all(writers);
    for (const failure of failures) expect(failure).toMatchObject(unavailable);
    expect(failures.length).toBeGreaterThan(0);
    const stored = await administer(postgres.url, (query) =>
      query<{ id: string }>("SELECT id FROM ostiary.identity"),
    );
    const ids = new Set(stored.map(({ id }) => id));
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
    const [events] = await administer(postgres.url, (query) =>
      query<{ count: number }>("SELECT count(*)::int AS count FROM ostiary.event"),
    );
    expect(events?.count).toBe(ids.size);
  }, 60_000);
  test("takes a password that was changed without a restart", async () => {
    const url = new URL(postgres.url);
    const own = await openStorage({ ...defaultTestOptions, url: url.href });
    const oldPassword = url.password;
    const change = (password: string) =>
      administer(postgres.superuserUrl, (query) => query(`ALTER ROLE ostiary PASSWORD '${password}'`));
    try {
      await change("changed");
      await terminateOthers(databaseUrl(postgres.superuserUrl, "ostiary"));
      await expect(own.ping()).rejects.toThrow();
      url.password = "changed";
      own.useUrl(url.href);
      await expect(own.ping()).resolves.toBeUndefined();
    } finally {
      await change(oldPassword);
      await own.close();
    }
  });
  test("is not opened with a wrong password or database: one line says which", async () => {
    const open = (change: (url: URL) => void) => {
      const url = new URL(postgres.url);
      change(url);
      return openStorage({ ...defaultTestOptions, url: url.href });
    };
    await expect(
      open((url) => {
        url.password = "hunter2";
      }),
    ).rejects.toThrow(/^Cannot use the database ostiary at .*: password authentication failed[^\n]*$/);
    await expect(
      open((url) => {
        url.password = "";
      }),
    ).rejects.toThrow(/: it asks for a password, and the URL has none$/);
    await expect(
      open((url) => {
        url.pathname = "/nothing";
      }),
    ).rejects.toThrow(/: database "nothing" does not exist$/);
  });
});

describe("a connection", () => {
  test("that is ended by the server while idle is replaced, and the process lives on", async () => {
    const storage = await openTestStorage();
    try {
      await Promise.all(Array.from({ length: 5 }, () => storage.ping()));
      await terminateOthers(storage.url);
      expect(await untilAnswered(storage)).toBeLessThan(20_000);
    } finally {
      await storage.close();
    }
  });

  // Heard by nobody, the news would end the process: it comes before the waiting caller has been given the connection.
  test("that is ended in the packet that opens it fails the call, and the process lives on", async () => {
    const database = await createTestDatabase();
    const proxy = await startEndingProxy(database.url);
    const storage = await openStorage({ ...defaultTestOptions, poolSize: 1, url: proxy.url });
    try {
      proxy.endNextAtOnce();
      await terminateOthers(database.url);
      expect(await untilAnswered(storage)).toBeLessThan(20_000);
      expect(proxy.ended()).toBe(1);
    } finally {
      await storage.close();
      await proxy.close();
      await database.drop();
    }
  });

  test("that is ended within a transaction makes it fail as unavailable, and frees the connection", async () => {
    const storage = await openTestStorage({ poolSize: 1 });
    try {
      const scope = { tenantId: await storage.ensureTenant("default", noon) };
      const identity = anIdentity();
      await expect(
        storage.transaction(scope, async (tx) => {
          await storage.identities.create(tx, identity, [], []);
          await terminateOthers(storage.url);
          await storage.identities.find(tx, identity.id);
        }),
      ).rejects.toMatchObject(unavailable);
      expect(await storage.identities.find(scope, identity.id)).toBeUndefined();
    } finally {
      await storage.close();
    }
  });

  test("that is not free in time is reported as unavailable", async () => {
    const storage = await openTestStorage({ poolSize: 1, acquireTimeoutMs: 1_000 });
    try {
      const scope = { tenantId: await storage.ensureTenant("default", noon) };
      await storage.transaction(scope, async () => {
        await expect(storage.ping()).rejects.toMatchObject(unavailable);
      });
      await storage.ping();
    } finally {
      await storage.close();
    }
  });

  test("whose statement takes too long is reported as unavailable", async () => {
    const storage = await openTestStorage({ statementTimeoutMs: 100 });
    const holder = await openStorage({ ...defaultTestOptions, url: storage.url });
    try {
      const scope = { tenantId: await storage.ensureTenant("default", noon) };
      const identity = anIdentity();
      await storage.identities.create(scope, identity, [], []);
      await holder.transaction(scope, async (tx) => {
        await holder.identities.setState(tx, identity.id, "inactive", noon, []);
        await expect(storage.identities.delete(scope, identity.id, [])).rejects.toMatchObject(unavailable);
      });
      expect(await storage.identities.delete(scope, identity.id, [])).toBe(true);
    } finally {
      await holder.close();
      await storage.close();
    }
  });
});

describe("what the database says", () => {
  // STYLE 19: the driver's text names tables and values.
  test("stays in the cause of an error", async () => {
    const storage = await openTestStorage();
    try {
      await administer(storage.url, (query) => query("DROP TABLE ostiary.flow"));
      const scope = { tenantId: await storage.ensureTenant("default", noon) };
      const error = await storage.flows.find(scope, "login", new Uint8Array(32)).catch((e: unknown) => e);
      if (!(error instanceof Error)) throw new Error("it did not fail");
      expect(error).not.toBeInstanceOf(DomainError);
      expect(error.message).toBe("The database refused a statement (SQLSTATE 42P01)");
      expect(String(error.cause)).toContain("flow");
    } finally {
      await storage.close();
    }
  });
});

describe("openStorage", () => {
  const open = (url: string) => openStorage({ ...defaultTestOptions, acquireTimeoutMs: 2_000, url });

  test.each([
    ["mysql://root:hunter2@localhost/x", /database URL cannot be read/],
    ["not a url with hunter2", /database URL cannot be read/],
    ["postgresql://ada:hunter2@127.0.0.1:1/ostiary", /ostiary at 127\.0\.0\.1:1: .*ECONNREFUSED/],
    [
      "postgresql://ada:hunter2@host.invalid/ostiary",
      /ostiary at host\.invalid:5432: .*(ENOTFOUND|EAI_AGAIN)/,
    ],
    ["postgresql://ada:hunter2@localhost/ostiary?host=%2Fnowhere", /ostiary at \/nowhere: .*ENOENT/],
  ])("says in one line what is wrong with %s, without the password", async (url, expected) => {
    const error = await open(url).catch((e: unknown) => e);
    if (!(error instanceof Error)) throw new Error("it did not fail");
    expect(error.message).toMatch(expected);
    expect(error.message).not.toMatch(/hunter2|\n/);
  });

  /** @see supabase#50156: the driver's advice was about an option of Node. */
  test.each([
    [
      "whose authority is not known",
      "S",
      /an authority that is not known here .* add &sslrootcert=\/path\/to\/ca\.crt/,
    ],
    ["without TLS", "N", /it offers no TLS, and sslmode in database\.url asks for it/],
  ])("says what to do about a server %s", async (_, answer, expected) => {
    const folder = await makeCertificateFolder();
    const authority = await folder.authority("authority");
    const issued = await folder.issue({ name: "localhost", authority, names: "DNS:localhost" });
    const secureContext = createSecureContext({
      cert: await readFile(issued.certificate),
      key: await readFile(issued.key),
    });
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.write(answer);
        if (answer === "S") new TLSSocket(socket, { isServer: true, secureContext }).on("error", () => {});
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const url = `postgresql://ada:hunter2@localhost:${port}/ostiary?host=127.0.0.1&sslmode=verify-full`;
    await expect(open(url)).rejects.toThrow(expected);
    server.close();
    await folder.remove();
  });

  test("a file that the URL names and that has gone is a connection that fails, and ends nothing", async () => {
    const url =
      "postgresql://ada:hunter2@127.0.0.1:1/ostiary?sslmode=verify-full&sslrootcert=/nowhere/ca.crt";
    await expect(open(url)).rejects.toThrow("The file /nowhere/ca.crt, which the database URL names,");
    const ClientOf = clientOf(() => url);
    await expect(new ClientOf().connect()).rejects.toThrow(/^database\.url: ENOENT.*\/nowhere\/ca\.crt/);
  });

  test("does not wait for ever for a server that does not answer", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    await expect(open(`postgresql://ada:x@127.0.0.1:${port}/ostiary`)).rejects.toThrow(
      /^Cannot use the database ostiary at \S+: it does not answer$/,
    );
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/** PostgreSQL's ErrorResponse of a session that it ends. */
function fatalError(): Buffer {
  const fields = Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0");
  const head = Buffer.from([0x45, 0, 0, 0, 0]);
  head.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

/** Stands between a storage and its database, and can end a connection in the very packet that opens it. */
async function startEndingProxy(databaseUrl: string) {
  const { host, port } = new Client({ connectionString: databaseUrl });
  let endNext = false;
  let ended = 0;
  const server = createServer((socket) => {
    const upstream = host.startsWith("/") ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    socket.pipe(upstream);
    for (const side of [socket, upstream]) side.on("error", () => {});
    socket.on("close", () => upstream.destroy());
    upstream.on("close", () => socket.end());
    upstream.on("data", (chunk) => {
      if (!endNext || !chunk.subarray(-readyForQuery.length).equals(readyForQuery))
        return socket.write(chunk);
      endNext = false;
      ended++;
      return socket.end(Buffer.concat([chunk, fatalError()]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const url = new URL(databaseUrl);
  url.search = "";
  url.host = `127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  return {
    url: url.href,
    endNextAtOnce: () => {
      endNext = true;
    },
    ended: () => ended,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

async function terminateOthers(url: string): Promise<void> {
  await administer(url, (query) =>
    query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    ),
  );
}
