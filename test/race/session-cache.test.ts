import fc from "fast-check";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { Consistency, SessionService, SessionView } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { register, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { untilHeard } from "../support/sessions.ts";

/** `session.max_staleness` of both servers. */
const boundMs = 300;

let servers: readonly [TestApp, TestApp];
/** A transaction that has written and stays open, as a long report in the cluster does: it holds positions back. */
let held: Client;

beforeAll(async () => {
  const config = { tenant_defaults: { session: { max_staleness: `${boundMs}ms` } } };
  const first = await startTestApp({ config });
  const { databaseUrl, clock } = first;
  servers = [first, await startTestApp({ config, databaseUrl, clock })];
  held = new Client({ connectionString: databaseUrl });
  await held.connect();
  await held.query("BEGIN");
  await held.query("SELECT pg_current_xact_id()");
});
afterAll(async () => {
  await held.end();
  for (const server of [...servers].reverse()) await server.stop();
});

/** The key of both servers. */
const operator = () => ({ bearer: servers[0].apiKey });

/** A change that was answered, or is on its way. */
interface Change {
  readonly by: TestApp;
  readonly begunAt: number;
  answeredAt?: number;
}

interface SignedIn {
  readonly token: string;
  readonly sessionId: string;
  readonly ends: Change[];
  /** Whether a call that ended all sessions was under way when it began: it may have ended this one. */
  readonly mayHaveEnded: boolean;
}

/** What a test knows of a person. */
class Person {
  readonly sessions: SignedIn[] = [];
  readonly renamed: (Change & { readonly count: number })[] = [];
  email = "";
  identityId = "";
  readonly #endsOfAll: Change[] = [];
  #renaming: Promise<unknown> = Promise.resolve();

  async begin(server: TestApp): Promise<void> {
    const { email, session, sessionToken } = await register(server);
    this.email = email;
    this.identityId = session?.identityId ?? "";
    this.sessions.push({ token: sessionToken, sessionId: session?.id ?? "", ends: [], mayHaveEnded: false });
  }

  async signIn(server: TestApp): Promise<void> {
    const begunAt = performance.now();
    const token = await sessionTokenOf(server, this.email);
    const strong = { token, consistency: Consistency.STRONG };
    const { session } = await server
      .client(SessionService)
      .checkSession(strong)
      // It was ended by a call that came in between.
      .catch(() => ({ session: undefined }));
    const mayHaveEnded = this.#endsOfAll.some(
      ({ answeredAt = Number.POSITIVE_INFINITY }) => answeredAt > begunAt,
    );
    if (session !== undefined) this.sessions.push({ token, sessionId: session.id, ends: [], mayHaveEnded });
  }

  /** Ends one session, or all that there are. */
  async end(by: TestApp, pick: number, how: "revoke" | "logout" | "all"): Promise<void> {
    const one = this.sessions[pick % this.sessions.length];
    if (one === undefined) return;
    const change: Change = { by, begunAt: performance.now() };
    if (how === "all") this.#endsOfAll.push(change);
    for (const { ends } of how === "all" ? this.sessions : [one]) ends.push(change);
    const admin = by.client(SessionAdminService, operator());
    if (how === "revoke") await admin.revokeSession({ sessionId: one.sessionId });
    else if (how === "all") await admin.revokeIdentitySessions({ identityId: this.identityId });
    else await by.client(SessionService, { bearer: one.token }).logout({});
    change.answeredAt = performance.now();
  }

  /** Counts the name up, one after the other. */
  rename(by: TestApp): Promise<unknown> {
    const count = this.renamed.length + 1;
    const change = { by, count, begunAt: performance.now() } as Person["renamed"][number];
    this.renamed.push(change);
    this.#renaming = this.#renaming.then(async () => {
      const traitsChange = { case: "traitsPatch", value: { name: String(count) } } as const;
      const identity = { identityId: this.identityId, traitsChange, keepSessions: true };
      await by.client(IdentityService, operator()).updateIdentity(identity);
      change.answeredAt = performance.now();
    });
    return this.#renaming;
  }
}

/** Whether those who ask a server at a moment must see a change. */
function mustSee({ by, answeredAt }: Change, server: TestApp, askedAt: number): boolean {
  if (answeredAt === undefined || answeredAt > askedAt) return false;
  return by === server || askedAt - answeredAt > boundMs;
}

/** Checks a session, and says what of the answer is wrong. */
async function check(server: TestApp, person: Person, pick: number): Promise<string | undefined> {
  const session = person.sessions[pick % person.sessions.length];
  if (session === undefined) return undefined;
  const askedAt = performance.now();
  const answer = await server
    .client(SessionService)
    .checkSession({ token: session.token, view: SessionView.FULL })
    .catch(() => undefined);
  const end = session.ends.find((change) => mustSee(change, server, askedAt));
  if (answer === undefined) {
    return session.ends.length === 0 && !session.mayHaveEnded
      ? "a session is refused that nobody has ended"
      : undefined;
  }
  if (end !== undefined) {
    const late = Math.round(askedAt - (end.answeredAt ?? 0));
    return `a session passes ${late} ms after it was ended ${end.by === server ? "here" : "elsewhere"}`;
  }
  const known = Number(answer.identity?.traits?.name ?? 0);
  const missed = person.renamed.find((change) => change.count > known && mustSee(change, server, askedAt));
  return missed && `a change is not seen that was made ${missed.by === server ? "here" : "elsewhere"}`;
}

const place = { server: fc.nat({ max: 1 }), person: fc.nat({ max: 1 }), pick: fc.nat({ max: 9 }) };
const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("check" as const), ...place }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("end" as const),
      how: fc.constantFrom("revoke" as const, "logout" as const, "all" as const),
      ...place,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("sign_in" as const), ...place }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("rename" as const), ...place }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), ...place }) },
  // What stops the whole process, feeds and all.
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("stall" as const), ...place }) },
);

/** Security rules (SR-CACHE-2, SR-CACHE-4), whatever happens at the same time. */
test("no session passes longer than the bound after its end was answered, and not at all where it was ended (SR-CACHE-4)", {
  timeout: 300_000,
}, async () => {
  const [first, second] = servers;
  let passed = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 10, maxLength: 30 }), { minLength: 4, maxLength: 4 }),
      async (actors) => {
        const people = [new Person(), new Person()];
        for (const person of people) await person.begin(first);
        await Promise.all([untilHeard(first), untilHeard(second)]);
        const wrong: string[] = [];
        const act = async (steps: (typeof actors)[number]) => {
          for (const { kind, ...at } of steps) {
            const server = at.server === 0 ? first : second;
            const person = people[at.person] as Person;
            if (kind === "check") {
              const what = await check(server, person, at.pick);
              if (what !== undefined) wrong.push(what);
              passed++;
            } else if (kind === "end" && "how" in at) await person.end(server, at.pick, at.how);
            else if (kind === "sign_in") await person.signIn(server);
            else if (kind === "rename") await person.rename(server);
            else if (kind === "stall") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40);
            else await new Promise((resolve) => setTimeout(resolve, boundMs / 4));
          }
        };
        await Promise.all(actors.map(act));
        expect(wrong).toEqual([]);
      },
    ),
    { numRuns: 4, endOnFailure: true },
  );
  expect(passed).toBeGreaterThan(100);
});
