import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import {
  createSessionVerifier,
  requireSession,
  type SessionVerifier,
  type SessionVerifierOptions,
} from "../../sdk/typescript/src/server.ts";
import { register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { watchKey } from "../support/watch.ts";

const patience = { timeout: 20_000, interval: 5 };
const maxStalenessMs = 1_000;

let app: TestApp;
let apiKey: string;
beforeAll(async () => {
  app = await startTestApp({ config: { tenant_defaults: { session: { max_staleness: "500ms" } } } });
  apiKey = (await watchKey(app)).secret;
});
afterAll(() => app.stop());

/** Counts what a verifier asks, and stands in its way. */
function countingFetch() {
  const calls: string[] = [];
  const fetchCounted: typeof fetch = (input, init) => {
    calls.push(String(input instanceof Request ? input.url : input));
    return fetch(input, init);
  };
  return { fetch: fetchCounted, checks: () => calls.filter((url) => url.endsWith("/CheckSession")).length };
}

function verifierOf(options: Partial<SessionVerifierOptions> & { baseUrl?: string } = {}): SessionVerifier {
  const verifier = createSessionVerifier({
    baseUrl: app.localUrl,
    apiKey,
    maxStaleness: maxStalenessMs,
    ...options,
  } as SessionVerifierOptions);
  onTestFinished(() => verifier.close());
  return verifier;
}

const outcome = (call: Promise<unknown>) =>
  call.then(
    () => "accepted",
    (error: unknown) => (ConnectError.from(error).code === Code.Unauthenticated ? "refused" : "unavailable"),
  );
const revoke = (sessionId = "") => app.client(SessionAdminService).revokeSession({ sessionId });

/** Asks until the answer is kept. */
async function kept(verifier: SessionVerifier, token: string): Promise<void> {
  await vi.waitUntil(async () => {
    await verifier.sessions.checkSession({ token });
    return verifier.size > 0;
  }, patience);
}

describe("a verifier", () => {
  test("answers what it has asked once, until the session ends", async () => {
    const { fetch, checks } = countingFetch();
    const verifier = verifierOf({ fetch });
    const { sessionToken: token, session } = await register(app);
    await kept(verifier, token);
    const before = checks();
    const answers = await Promise.all([1, 2, 3].map(() => verifier.sessions.checkSession({ token })));
    expect(answers.map((answer) => answer.session?.id)).toEqual(Array(3).fill(session?.id));
    expect(checks()).toBe(before);
    await revoke(session?.id);
    await vi.waitUntil(
      async () => (await outcome(verifier.sessions.checkSession({ token }))) === "refused",
      patience,
    );
    expect(verifier.size).toBe(0);
  });

  test("forgets the sessions of an identity that has changed, and no others", async () => {
    const { fetch, checks } = countingFetch();
    const verifier = verifierOf({ fetch });
    const [one, two] = [await register(app), await register(app)];
    await kept(verifier, one.sessionToken);
    await verifier.sessions.checkSession({ token: two.sessionToken });
    await vi.waitUntil(async () => {
      await verifier.sessions.checkSession({ token: two.sessionToken });
      return verifier.size === 2;
    }, patience);
    const identityId = one.session?.identityId ?? "";
    await app.client(IdentityService).updateIdentity({ identityId, externalId: identityId });
    await vi.waitUntil(() => verifier.size === 1, patience);
    const before = checks();
    await verifier.sessions.checkSession({ token: two.sessionToken });
    expect(checks()).toBe(before);
  });

  test("asks once for all who want to know the same at the same time, and who goes away disturbs nobody", async () => {
    const { fetch, checks } = countingFetch();
    const verifier = verifierOf({ fetch });
    const { sessionToken: token } = await register(app);
    await vi.waitUntil(() => verifier.isFresh, patience);
    const leaving = new AbortController();
    const left = outcome(verifier.sessions.checkSession({ token }, { signal: leaving.signal }));
    const others = [1, 2, 3].map(() => verifier.sessions.checkSession({ token }));
    leaving.abort();
    expect(await left).toBe("unavailable");
    expect((await Promise.all(others)).every(({ session }) => session !== undefined)).toBe(true);
    expect(checks()).toBe(1);
  });

  test("keeps an answer for the demands that it meets, and asks for all else", async () => {
    const { fetch, checks } = countingFetch();
    const verifier = verifierOf({ fetch });
    const { sessionToken: token } = await register(app);
    await kept(verifier, token);
    const before = checks();
    const within = (seconds: bigint) => [
      {
        demand: {
          case: "freshness" as const,
          value: { within: { case: "maxAge" as const, value: { seconds } } },
        },
      },
    ];
    await verifier.sessions.checkSession({ token, demands: within(3_600n) });
    expect(checks()).toBe(before);
    // What only the server knows is asked once, and then known.
    const pending = [{ demand: { case: "noPendingActions" as const, value: {} } }];
    await verifier.sessions.checkSession({ token, demands: pending });
    await verifier.sessions.checkSession({ token, demands: pending });
    expect(checks()).toBe(before + 1);
    const strong = [{ demand: { case: "assuranceLevel" as const, value: 2 } }];
    expect(await outcome(verifier.sessions.checkSession({ token, demands: strong }))).toBe("refused");
    expect(checks()).toBe(before + 2);
    app.clock.advance(2 * 3_600_000);
    await vi.waitUntil(
      async () =>
        (await outcome(verifier.sessions.checkSession({ token, demands: within(3_600n) }))) === "refused",
      patience,
    );
  });

  test("is the server that a guard asks", async () => {
    const { fetch, checks } = countingFetch();
    const verifier = verifierOf({ fetch });
    const guard = requireSession({ ostiary: verifier, view: "identity" });
    const { sessionToken: token, email } = await register(app);
    const request = () =>
      new Request("https://app.example/", { headers: { authorization: `Bearer ${token}` } });
    await vi.waitUntil(async () => {
      expect((await guard.check(request())).identity.addresses[0]?.value).toBe(email);
      return verifier.size > 0;
    }, patience);
    const before = checks();
    const { session } = await guard.check(request());
    expect(checks()).toBe(before);
    // One request cannot change what the next one is told.
    expect(() => Object.assign(session, { identityId: "another" })).toThrow(TypeError);
    await revoke(session.id);
    await vi.waitUntil(
      () =>
        guard.check(request()).then(
          () => false,
          (error: { reason: string }) => error.reason === "SESSION_REVOKED",
        ),
      patience,
    );
  });

  test("reports which sessions are used", async () => {
    const { fetch, checks } = countingFetch();
    const verifier = verifierOf({ fetch });
    const { sessionToken: token, session } = await register(app);
    await kept(verifier, token);
    const lastUse = async () => {
      const { session: seen } = await app
        .client(SessionAdminService)
        .getSession({ sessionId: session?.id ?? "" });
      return seen?.lastUseTime?.seconds ?? 0n;
    };
    const before = await lastUse();
    app.clock.advance(5 * 60_000);
    // A use is noted again once the last one is half a minute ago.
    const real = performance.now.bind(performance);
    const later = vi.spyOn(performance, "now").mockImplementation(() => real() + 31_000);
    onTestFinished(() => {
      later.mockRestore();
    });
    await vi.waitUntil(() => !verifier.isFresh, patience);
    await vi.waitUntil(() => verifier.isFresh, patience);
    const asked = checks();
    await verifier.sessions.checkSession({ token });
    expect(checks()).toBe(asked);
    await verifier.close();
    await vi.waitUntil(async () => (await lastUse()) >= before + 290n, { timeout: 40_000, interval: 100 });
  });

  test("without a key that may watch keeps nothing and says so, and checks all the same", async () => {
    const problems: unknown[] = [];
    const { secret } = await app
      .client(ApiKeyService)
      .createApiKey({ name: "other", scopes: ["session:read"] });
    const verifier = verifierOf({ apiKey: secret, onProblem: (error) => problems.push(error) });
    const { sessionToken: token } = await register(app);
    await vi.waitUntil(() => problems.length > 0, patience);
    expect(await outcome(verifier.sessions.checkSession({ token }))).toBe("accepted");
    expect(verifier.size).toBe(0);
    expect(problems).toMatchObject([{ code: Code.PermissionDenied }]);
  });

  test.each<[string, object, string]>([
    ["an option that there is not", { maxStalenes: 1 }, "maxStaleness"],
    ["no key", { apiKey: undefined }, "apiKey"],
    ["a bound that cannot be held", { maxStaleness: "10ms" }, "maxStaleness"],
    ["a choice that there is not", { whenStale: "accept" }, "whenStale"],
    ["a number that is none", { maxAnswers: 0 }, "maxAnswers"],
  ])("is not made with %s", (_name, options, named) => {
    const all = { baseUrl: app.localUrl, apiKey, ...options };
    expect(() => createSessionVerifier(all as SessionVerifierOptions)).toThrow(named);
  });
});
