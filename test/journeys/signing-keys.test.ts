import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from "jose";
import { afterEach, expect, test } from "vitest";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { createKeyPairs } from "../../src/crypto/key-pairs.ts";
import { createSealer } from "../../src/crypto/sealer.ts";
import { Secret } from "../../src/domain/secret.ts";
import { runInProcess, runOstiary } from "../cli/run-ostiary.ts";
import { register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { announceJob } from "../support/jobs.ts";
import { administer } from "../support/postgres.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const secret = "a sealing secret of the keys, 32 characters or more";
const running: TestApp[] = [];

interface Setup {
  readonly secret?: string;
  readonly tokens?: object;
  readonly session?: object;
  readonly beside?: TestApp;
}

/** Starts a server that issues tokens; `beside`: one more on the database and the clock of another one. */
async function start({ secret: sealing = secret, tokens = {}, session = {}, beside }: Setup = {}) {
  const app = await startTestApp({
    config: {
      secrets: { sealing: [sealing] },
      tenant_defaults: {
        public_url: "http://localhost:4433",
        session: {
          ...{ lifetime: "8760h", max_lifetime: "8760h", aal2: { max_lifetime: "8760h" } },
          ...session,
          tokens: { audiences: ["api"], ...tokens },
        },
      },
    },
    ...(beside && { databaseUrl: beside.databaseUrl, clock: beside.clock }),
  });
  running.push(app);
  return app;
}
afterEach(async () => {
  // The first has the database.
  for (const app of running.splice(0).reverse()) await app.stop();
});

async function published(app: TestApp): Promise<JSONWebKeySet> {
  const response = await fetch(`${app.localUrl}/.well-known/jwks.json`);
  expect(response.status).toBe(200);
  return (await response.json()) as JSONWebKeySet;
}
const keyIds = async (app: TestApp) => (await published(app)).keys.map(({ kid }) => kid);

async function issue(app: TestApp, bearer: string): Promise<string> {
  return (await app.client(SessionService, { bearer }).issueToken({ lifetime: { seconds: 3600n, nanos: 0 } }))
    .token;
}
const signerOf = (token: string) => decodeProtectedHeader(token).kid;

/** Whether a verifier with these keys takes a token, at the time of a server. */
async function isTaken(token: string, keys: JSONWebKeySet, { clock }: TestApp): Promise<boolean> {
  const check = jwtVerify(token, createLocalJWKSet(keys), { audience: "api", currentDate: clock.now() });
  return check.then(
    () => true,
    () => false,
  );
}

/** Runs the command line on a server's database, in this process or each in its own. */
const keysCommand = (app: TestApp, ...words: string[]) => runKeys(runInProcess, app, words);
const keysProcess = (app: TestApp, ...words: string[]) => runKeys(runOstiary, app, words);

async function runKeys(run: typeof runInProcess, app: TestApp, words: readonly string[]) {
  const { code, stdout, stderr } = await run(["keys", ...words], {
    directory: app.dataDirectory,
    environment: {
      OSTIARY_DATABASE_URL: app.databaseUrl,
      OSTIARY_SECRETS_SEALING: JSON.stringify([secret]),
      OSTIARY_DEV: "true",
      OSTIARY_LOG_LEVEL: "error",
    },
  });
  expect([code, stderr.includes("ostiary:")]).toEqual([0, false]);
  return stdout;
}

test("servers that start at the same moment make one key, and sign with it", async () => {
  const first = await start();
  await administer(first.databaseUrl, (query) => query("DELETE FROM ostiary.signing_key"));
  const servers = await Promise.all([1, 2, 3, 4].map(() => start({ beside: first })));
  const ids = await Promise.all(servers.map(keyIds));
  expect(ids[0]).toHaveLength(1);
  for (const each of ids) expect(each).toEqual(ids[0]);
  const { sessionToken } = await register(first);
  for (const server of servers) expect(signerOf(await issue(server, sessionToken))).toBe(ids[0]?.[0]);
});

test("calls at the moment at which there is no key share one, within a server and among several", async () => {
  const app = await start();
  const other = await start({ beside: app });
  const { sessionToken } = await register(app);
  for (let round = 0; round < 5; round++) {
    await administer(app.databaseUrl, (query) => query("DELETE FROM ostiary.signing_key"));
    app.clock.advance(10_000);
    const servers = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? app : other));
    const signers = await Promise.all(
      servers.map(async (server) => signerOf(await issue(server, sessionToken))),
    );
    expect(new Set(signers).size).toBe(1);
    expect(await keyIds(app)).toEqual([signers[0]]);
    expect(await keyIds(other)).toEqual([signers[0]]);
  }
});

test("a key is published before it signs, and until the last of its tokens has ended", async () => {
  const app = await start({ tokens: { key_rotation: "72h" } });
  const other = await start({ beside: app, tokens: { key_rotation: "72h" } });
  const { sessionToken } = await register(app);
  const [first] = await keyIds(app);
  // A key that signs at once does so from five minutes before, for clocks that are behind.
  app.clock.advance(3 * dayMs - hourMs - 5 * 60_000 - 1);
  expect(await keyIds(app)).toEqual([first]);
  app.clock.advance(1);
  // Both find at the same moment that the next key is due.
  app.clock.advance(10_000);
  await Promise.all([issue(app, sessionToken), issue(other, sessionToken), published(app), published(other)]);
  const both = await keyIds(app);
  expect(both).toHaveLength(2);
  expect(await keyIds(other)).toEqual(both);
  const [second] = both;
  app.clock.advance(hourMs - 1);
  const last = await issue(other, sessionToken);
  expect(signerOf(last)).toBe(first);
  // A verifier that read the keys when the second was published knows what it signs.
  const keys = await published(other);
  app.clock.advance(1);
  const next = await issue(app, sessionToken);
  expect([signerOf(next), signerOf(await issue(other, sessionToken))]).toEqual([second, second]);
  expect(await isTaken(next, keys, app)).toBe(true);
  app.clock.advance(hourMs - 2_000);
  expect(await isTaken(last, await published(app), app)).toBe(true);
  app.clock.advance(6 * 60_000);
  expect(await isTaken(last, keys, app)).toBe(false);
  expect(await keyIds(app)).toEqual([second]);
});

test("another algorithm signs after it was published, and what the former has signed stays good", async () => {
  const former = await start();
  const { sessionToken } = await register(former);
  const app = await start({ beside: former, tokens: { algorithm: "eddsa" } });
  const token = await issue(app, sessionToken);
  expect(decodeProtectedHeader(token).alg).toBe("ES256");
  expect((await published(app)).keys.map(({ alg }) => alg)).toEqual(["EdDSA", "ES256"]);
  app.clock.advance(hourMs);
  const next = await issue(app, sessionToken);
  expect(decodeProtectedHeader(next).alg).toBe("EdDSA");
  expect(await isTaken(next, await published(former), app)).toBe(true);
  // The two configurations do not make keys in turns: each waits until the other's key signs.
  for (let round = 0; round < 5; round++) {
    app.clock.advance(10_000);
    await Promise.all([published(app), published(former)]);
  }
  expect((await published(app)).keys.length).toBeLessThanOrEqual(3);
});

test("`keys rotate` makes the next key once, and `keys list` shows which one signs", async () => {
  const app = await start();
  const { sessionToken } = await register(app);
  const [first = ""] = await keyIds(app);
  await keysCommand(app, "rotate");
  const listed = await keysCommand(app, "rotate");
  expect(listed.trim().split("\n")).toEqual([
    expect.stringMatching(/^\S+ published: signs from \S+$/),
    expect.stringMatching(/^\S+ (signs|former): signs from \S+, published until \S+$/),
  ]);
  expect(listed).toContain(`${first} `);
  app.clock.advance(10_000);
  expect(await keyIds(app)).toHaveLength(2);
  expect(signerOf(await issue(app, sessionToken))).toBe(first);
  expect(await keysCommand(app, "list")).toBe(listed);
});

test("of two rotations at the same moment one makes the key; of two withdrawals one key is left", async () => {
  const app = await start();
  app.clock.advance(Date.now() - app.clock.now().getTime());
  const { sessionToken } = await register(app);
  await Promise.all([keysProcess(app, "rotate"), keysProcess(app, "rotate")]);
  app.clock.advance(10_000);
  expect(await keyIds(app)).toHaveLength(2);
  await Promise.all([keysProcess(app, "rotate", "--withdraw"), keysProcess(app, "rotate", "--withdraw")]);
  // The time of this server stands still, and theirs went on.
  app.clock.advance(Math.max(10_000, Date.now() - app.clock.now().getTime()));
  const keys = await published(app);
  expect(keys.keys).toHaveLength(1);
  expect(await isTaken(await issue(app, sessionToken), keys, app)).toBe(true);
});

// Security rule (SR-TOKEN-5): what a withdrawn key has signed, and what others sign with it, is refused.
test("`keys rotate --withdraw` lets no other key be published, within ten seconds on each server", async () => {
  const first = await start();
  // The command line goes by the real time.
  first.clock.advance(Date.now() - first.clock.now().getTime());
  const { sessionToken } = await register(first);
  const stolen = await issue(first, sessionToken);
  await keysCommand(first, "rotate");
  await keysCommand(first, "rotate", "--withdraw");
  first.clock.advance(Math.max(10_000, Date.now() - first.clock.now().getTime()));
  const keys = await published(first);
  expect(keys.keys).toHaveLength(1);
  expect(await isTaken(stolen, keys, first)).toBe(false);
  expect(await isTaken(await issue(first, sessionToken), keys, first)).toBe(true);
});

// Security rule (SR-TOKEN-4): only what this deployment has sealed is published.
test("a key that cannot be opened is neither published nor used, and another one is made", async () => {
  const former = await start();
  const { sessionToken } = await register(former);
  const [lost] = await keyIds(former);
  const app = await start({ beside: former, secret: "another sealing secret, 32 characters or more" });
  const warnings = app.log.filter(
    ({ level, message }) => level === "warn" && message.includes("cannot be opened"),
  );
  expect(warnings.map(({ fields }) => fields)).toEqual([{ keyId: lost }]);
  const token = await issue(app, sessionToken);
  const keys = await published(app);
  expect(keys.keys.map(({ kid }) => kid)).toEqual([signerOf(token)]);
  expect(signerOf(token)).not.toBe(lost);
  expect(await isTaken(token, keys, app)).toBe(true);
  // The two do not make keys in turns, although neither can read what the other makes.
  for (let round = 0; round < 10; round++) {
    app.clock.advance(10_000);
    await Promise.all([issue(app, sessionToken), published(former)]);
  }
  const rows = await administer(app.databaseUrl, (query) => query("SELECT key_id FROM ostiary.signing_key"));
  expect(rows.length).toBeLessThanOrEqual(3);
});

// Security rule (SR-TOKEN-4): a row that somebody else has written, or that was another tenant's, makes no key.
test("a key of another tenant, or under another name, is none", async () => {
  const app = await start();
  const [own] = await keyIds(app);
  const pair = createKeyPairs().make("ES256");
  const privateKey = Buffer.from(pair.privateKey()).toString("base64");
  const sealer = createSealer(() => [new Secret(secret)]);
  const sealed = (tenantId: string) =>
    sealer.seal("signing key", Buffer.from(JSON.stringify({ tenantId, privateKey })));
  const write = (tenantId: string, keyId: string) =>
    administer(app.databaseUrl, (query) =>
      query(
        `INSERT INTO ostiary.signing_key
          SELECT tenant_id, max(ordinal) + 1, $1, $2, min(created_at), min(signs_at), NULL
          FROM ostiary.signing_key GROUP BY tenant_id`,
        [keyId, sealed(tenantId)],
      ),
    );
  const [tenant] = await administer(app.databaseUrl, (query) =>
    query<{ tenant_id: string }>("SELECT tenant_id FROM ostiary.tenant"),
  );
  await write("00000000-0000-7000-8000-000000000000", pair.keyId);
  await write(tenant?.tenant_id ?? "", "another name");
  app.clock.advance(10_000);
  expect(await keyIds(app)).toEqual([own]);
  // The control: under its own name it is a key.
  await write(tenant?.tenant_id ?? "", pair.keyId);
  app.clock.advance(10_000);
  expect(await keyIds(app)).toEqual([pair.keyId, own]);
});

test("after a restore the key of then signs again, and its tokens are good", async () => {
  const app = await start({ tokens: { key_rotation: "24h" } });
  const { sessionToken } = await register(app);
  const [first] = await keyIds(app);
  const dump = await administer(app.databaseUrl, (query) => query("SELECT * FROM ostiary.signing_key"));
  app.clock.advance(dayMs);
  await issue(app, sessionToken);
  app.clock.advance(hourMs);
  const lost = await issue(app, sessionToken);
  expect(signerOf(lost)).not.toBe(first);
  expect(dump).toHaveLength(1);
  await administer(app.databaseUrl, async (query) => {
    await query("DELETE FROM ostiary.signing_key WHERE ordinal > 1");
    await query("UPDATE ostiary.signing_key SET ends_at = NULL");
  });
  app.clock.advance(10_000);
  const token = await issue(app, sessionToken);
  expect(signerOf(token)).toBe(first);
  const keys = await published(app);
  expect(await isTaken(token, keys, app)).toBe(true);
  expect(await isTaken(lost, keys, app)).toBe(false);
});

test("keys that have ended are removed with what else has ended", async () => {
  const app = await start();
  await keysCommand(app, "rotate");
  app.clock.advance(365 * dayMs);
  await announceJob(app.databaseUrl, "remove_expired");
  await expect
    .poll(() => administer(app.databaseUrl, (query) => query("SELECT 1 FROM ostiary.signing_key")), {
      timeout: 20_000,
    })
    .toHaveLength(1);
});

// A token is made of what the database says, whatever another process has done and whatever this one keeps.
test("a session that another server has revoked gets no token", async () => {
  const app = await start();
  const other = await start({ beside: app });
  const { session, sessionToken } = await register(app);
  await issue(other, sessionToken);
  await app.client(SessionAdminService).revokeSession({ sessionId: session?.id ?? "" });
  expect(await refusal(issue(other, sessionToken))).toMatchObject({ reason: "SESSION_REVOKED" });
});
