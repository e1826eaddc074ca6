import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { createSessionVerifier, type SessionVerifier } from "../../sdk/typescript/src/server.ts";
import { freshEmail } from "../support/accounts.ts";
import { transportOf } from "../support/app.ts";
import { Caller, resultOf, tokenIn } from "../support/caller.ts";
import { createServerDatabase, type TestDatabase } from "../support/database.ts";
import { startHoldingProxy } from "../support/holding-proxy.ts";
import { type ServerProcess, servingFrom, startServerProcess } from "../support/server-process.ts";

/** How long a session may pass after it has ended: the verifier's own bound; that of the servers is shorter. */
const boundMs = 1_000;
const patience = { timeout: 30_000, interval: 5 };

let database: TestDatabase & { readonly adminKey: string };
let servers: [ServerProcess, ServerProcess];
let apiKey: string;
const start = () =>
  startServerProcess([], {
    ...servingFrom(database),
    OSTIARY_DEV: "true",
    OSTIARY_TENANT_DEFAULTS_THROTTLE_ENABLED: "false",
    OSTIARY_TENANT_DEFAULTS_SESSION_MAX_STALENESS: "500ms",
    OSTIARY_TENANT_DEFAULTS_PASSWORD_ARGON2_MEMORY_KIB: "64",
    OSTIARY_TENANT_DEFAULTS_PASSWORD_ARGON2_ITERATIONS: "1",
  });
beforeAll(async () => {
  database = await createServerDatabase();
  servers = [await start(), await start()];
  const keys = createClient(
    ApiKeyService,
    transportOf("Connect JSON", servers[0].adminUrl, database.adminKey),
  );
  apiKey = (await keys.createApiKey({ name: "verifier", scopes: ["session:watch"] })).secret;
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.end("SIGTERM")));
  await database.drop();
});

/** Signs somebody in. */
async function signIn({ publicUrl }: ServerProcess): Promise<string> {
  const answer = await new Caller({ publicUrl }).register(freshEmail());
  expect(resultOf(answer)).toBe("completed");
  return tokenIn(answer);
}

/** Ends a session at a server, and gives when it was acknowledged. */
async function revoke(server: ServerProcess, sessionId: string): Promise<number> {
  const transport = transportOf("Connect JSON", server.adminUrl, database.adminKey);
  await createClient(SessionAdminService, transport).revokeSession({ sessionId });
  return performance.now();
}

type Outcome = "accepted" | "refused" | "unavailable";
interface Tried {
  readonly at: number;
  readonly outcome: Outcome;
}

/** Checks a token without pause, and notes when each check was begun and what came of it. */
function keepChecking(verifier: SessionVerifier, token: string) {
  const tried: Tried[] = [];
  let isOver = false;
  const loop = (async () => {
    while (!isOver) {
      const at = performance.now();
      const outcome = await verifier.sessions.checkSession({ token }, { timeoutMs: 500 }).then(
        (): Outcome => "accepted",
        (error: unknown): Outcome =>
          ConnectError.from(error).code === Code.Unauthenticated ? "refused" : "unavailable",
      );
      tried.push({ at, outcome });
      await delay(1);
    }
  })();
  onTestFinished(() => {
    isOver = true;
    return loop;
  });
  return {
    until: (outcome: Outcome, after = 0) =>
      vi.waitUntil(() => tried.some((each) => each.at > after && each.outcome === outcome), patience),
    /** No check that was begun later than the bound after this time was let through. */
    assertNoneAccepted: (since: number) => {
      const late = tried.filter(({ at, outcome }) => at > since + boundMs && outcome === "accepted");
      expect(late.map(({ at }) => Math.round(at - since))).toEqual([]);
    },
  };
}

/** A verifier that has kept an answer, which it follows by way of a proxy. Checks go there as well, unless `asks` says where. */
async function follow(whenStale: "ask" | "refuse", asks?: string) {
  const [first] = servers;
  const proxy = await startHoldingProxy(first.publicUrl);
  onTestFinished(() => proxy.close());
  const direct: typeof fetch = (input, init) => {
    const url = String(input instanceof Request ? input.url : input);
    const isCheck = asks !== undefined && url.endsWith("/CheckSession");
    return fetch(isCheck ? url.replace(proxy.url, asks) : url, init);
  };
  const verifier = createSessionVerifier({
    baseUrl: proxy.url,
    fetch: direct,
    apiKey,
    whenStale,
    maxStaleness: boundMs,
  });
  onTestFinished(() => verifier.close());
  const token = await signIn(first);
  let sessionId = "";
  await vi.waitUntil(async () => {
    sessionId = (await verifier.sessions.checkSession({ token })).session?.id ?? "";
    return verifier.size > 0;
  }, patience);
  return { proxy, verifier, token, sessionId };
}

describe.each(["ask", "refuse"] as const)(
  "while changes are not heard, a verifier that is to %s",
  (whenStale) => {
    test("accepts no session beyond the bound after it has ended: the stream is held up", async () => {
      const { proxy, verifier, token, sessionId } = await follow(whenStale, servers[1].publicUrl);
      const checks = keepChecking(verifier, token);
      await checks.until("accepted");
      proxy.hold();
      const revokedAt = await revoke(servers[1], sessionId);
      await checks.until(whenStale === "ask" ? "refused" : "unavailable", revokedAt);
      await delay(2 * boundMs);
      // What arrives now was sent long ago, and must not count as new.
      proxy.release();
      const releasedAt = performance.now();
      await checks.until("refused", releasedAt);
      checks.assertNoneAccepted(revokedAt);
    });

    test("accepts no session beyond the bound after it has ended: the server stands still for 5 seconds", async () => {
      const [first, second] = servers;
      const { verifier, token, sessionId } = await follow(whenStale);
      const checks = keepChecking(verifier, token);
      await checks.until("accepted");
      first.child.kill("SIGSTOP");
      let revokedAt: number;
      try {
        revokedAt = await revoke(second, sessionId);
        await checks.until("unavailable", revokedAt);
        await delay(5_000);
      } finally {
        first.child.kill("SIGCONT");
      }
      await checks.until("refused", revokedAt);
      checks.assertNoneAccepted(revokedAt);
    });
  },
);

test("a verifier whose server is killed goes on at another one, and misses nothing", async () => {
  const { proxy, verifier, token, sessionId } = await follow("ask");
  const other = await signIn(servers[1]);
  await verifier.sessions.checkSession({ token: other });
  const checks = keepChecking(verifier, token);
  await checks.until("accepted");
  await servers[0].end("SIGKILL");
  const revokedAt = await revoke(servers[1], sessionId);
  proxy.leadTo(servers[1].publicUrl);
  await checks.until("refused", revokedAt);
  await vi.waitUntil(() => verifier.isFresh, patience);
  checks.assertNoneAccepted(revokedAt);
  // What was kept of others is still there: nothing was missed.
  expect(verifier.size).toBeGreaterThan(0);
  servers[0] = await start();
});

test("a session that one server ends is refused by a verifier that follows another one", async () => {
  const { verifier, token, sessionId } = await follow("refuse");
  const checks = keepChecking(verifier, token);
  await checks.until("accepted");
  const revokedAt = await revoke(servers[1], sessionId);
  await checks.until("refused", revokedAt);
  checks.assertNoneAccepted(revokedAt);
});
