import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, onTestFinished, test, vi } from "vitest";
import {
  SessionChangeKind,
  SessionChangeSchema,
} from "../../../../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { CheckSessionResponseSchema } from "../../../../../gen/ostiary/session/v1/session_service_pb.js";
import { KeptAnswers } from "./kept-answers.ts";

const epoch = 7n;
const answerOf = (sequence: bigint, sessionId = "s1", identityId = "i1") =>
  create(CheckSessionResponseSchema, {
    session: { id: sessionId, identityId },
    position: { epoch, sequence },
    cacheUntilTime: timestampFromMs(1_000),
  });
const changeOf = (
  sequence: bigint,
  about: { sessionId?: string; identityId?: string } = { sessionId: "s1", identityId: "i1" },
  kind = SessionChangeKind.REVOKED,
) => create(SessionChangeSchema, { kind, sequence, ...about });

/** Whether an answer is kept. */
function isKept(kept: KeptAnswers, response = answerOf(10n), asked = kept.ask()): boolean {
  kept.keep("key", response, "", asked, epoch);
  return kept.find("key") !== undefined;
}

test("an answer is kept with what it needs, and forgotten with the session, the identity or everything", () => {
  const kept = new KeptAnswers(10);
  expect(isKept(kept)).toBe(true);
  kept.change(changeOf(11n));
  expect(kept.find("key")).toBeUndefined();
  expect(isKept(kept, answerOf(11n))).toBe(true);
  kept.change(changeOf(12n, { identityId: "i1" }));
  expect(kept.find("key")).toBeUndefined();
  expect(isKept(kept, answerOf(12n))).toBe(true);
  kept.forget();
  expect(kept.size).toBe(0);
});

test.each([
  ["position", create(CheckSessionResponseSchema, { ...answerOf(10n), position: undefined })],
  ["end", create(CheckSessionResponseSchema, { ...answerOf(10n), cacheUntilTime: undefined })],
  ["session", create(CheckSessionResponseSchema, { ...answerOf(10n), session: undefined })],
])("an answer without a %s is not kept", (_name, response) => {
  expect(isKept(new KeptAnswers(10), response)).toBe(false);
});

test("an answer of another log is not kept", () => {
  const kept = new KeptAnswers(10);
  kept.keep("key", answerOf(10n), "", kept.ask(), epoch + 1n);
  expect(kept.size).toBe(0);
});

// Security rule (SR-SDK-10): an answer that does not include the last change is not kept.
test.each<[string, object]>([
  ["session", { sessionId: "s1", identityId: "i1" }],
  ["identity", { identityId: "i1" }],
])(
  "an answer of a server that is behind the last change of the %s is not kept, for a minute",
  (_name, about) => {
    const kept = new KeptAnswers(10);
    kept.change(changeOf(20n, about));
    expect(isKept(kept, answerOf(19n))).toBe(false);
    expect(kept.isOvertaken(answerOf(19n))).toBe(true);
    expect(kept.isOvertaken(answerOf(20n))).toBe(false);
    // Another session is not concerned.
    expect(isKept(kept, answerOf(19n, "s2", "i2"))).toBe(true);
    const real = performance.now();
    const later = vi.spyOn(performance, "now").mockReturnValue(real + 60_100);
    onTestFinished(() => {
      later.mockRestore();
    });
    expect(isKept(kept, answerOf(19n))).toBe(true);
  },
);

// Security rule (SR-SDK-10): nor is one that was on its way when a change came, whatever position it claims.
test("an answer that was asked for before a change was heard is not kept", () => {
  const kept = new KeptAnswers(10);
  const asked = kept.ask();
  kept.change(changeOf(5n));
  expect(isKept(kept, answerOf(30n), asked)).toBe(false);
  expect(isKept(kept, answerOf(30n))).toBe(true);
  const before = kept.ask();
  kept.forget();
  expect(isKept(kept, answerOf(30n), before)).toBe(false);
});

test("a change that ends nothing does not put an answer in doubt, one that is not known does", () => {
  const kept = new KeptAnswers(10);
  kept.change(changeOf(20n, { sessionId: "s1", identityId: "i1" }, SessionChangeKind.EXTENDED));
  expect(kept.isOvertaken(answerOf(19n))).toBe(false);
  kept.change(changeOf(21n, { sessionId: "s1", identityId: "i1" }, 99 as SessionChangeKind));
  expect(kept.isOvertaken(answerOf(19n))).toBe(true);
});

test("what is not asked for makes room for what is", () => {
  const kept = new KeptAnswers(3);
  const keep = (id: string) => kept.keep(id, answerOf(1n, id, `of ${id}`), "", kept.ask(), epoch);
  for (const id of ["a", "b", "c"]) keep(id);
  kept.find("a");
  keep("d");
  expect(kept.find("b")).toBeUndefined();
  expect([kept.find("a"), kept.find("c"), kept.find("d")].every((each) => each !== undefined)).toBe(true);
  expect(kept.size).toBe(3);
});
