// SPDX-License-Identifier: Apache-2.0
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type SessionChange,
  SessionChangeKind,
} from "../../../../../gen/ostiary/session/v1/session_feed_service_pb.js";
import type { CheckSessionResponse } from "../../../../../gen/ostiary/session/v1/session_service_pb.js";

/** An answer of CheckSession that is kept. */
export interface KeptAnswer {
  readonly response: CheckSessionResponse;
  readonly sessionId: string;
  readonly identityId: string;
  /** Until when the answer counts, by the server's clock in milliseconds. */
  readonly until: number;
  /** Demands that the server has found to be met, and until when they are, by their encoded form. */
  readonly met: Map<string, number>;
  /** When a use of the session was last noted, in milliseconds of `performance.now()`. */
  usedAt: number;
  /** Whether it was found since it was last passed over. */
  isUsed: boolean;
}

/** What was known when a question was asked. */
export interface Asked {
  readonly at: number;
  readonly changes: number;
  readonly forgotten: number;
}

/** The last change of a session or identity. */
interface Changed {
  readonly sequence: bigint;
  /** Its number among the changes that were heard here. */
  readonly number: number;
  readonly heardAt: number;
  /** Whether sessions may have ended by it. */
  readonly hasEnded: boolean;
}

/** How long a change is remembered: far longer than any answer is on its way, or a server behind. */
const rememberedMs = 60_000;
const mostRemembered = 100_000;
/** How many sets of demands an answer is known to meet. */
const mostDemands = 16;

/** Kinds of changes by which a session ends, or its token counts no longer. */
const ending: ReadonlySet<SessionChangeKind> = new Set([
  SessionChangeKind.REVOKED,
  SessionChangeKind.TOKEN_REPLACED,
  SessionChangeKind.IDENTITY_DISABLED,
  SessionChangeKind.IDENTITY_DELETED,
  SessionChangeKind.UNSPECIFIED,
]);

/**
 * Answers of CheckSession by what was asked, at most so many, and what has changed lately.
 *
 * Security rule (SR-SDK-10): an answer is kept only if it includes the last change of its session and identity, and none came while it was
 * on its way: it may be that of a server that has not heard of the change yet (kept-answers.test.ts).
 */
export class KeptAnswers {
  readonly #mostAnswers: number;
  readonly #answers = new Map<string, KeptAnswer>();
  /** The keys of the answers about a session or identity. */
  readonly #keysOf = new Map<string, Set<string>>();
  readonly #changed = new Map<string, Changed>();
  /** What must be assumed of a change that was forgotten before its time. */
  #least: Changed | undefined;
  #changes = 0;
  #forgotten = 0;

  constructor(mostAnswers: number) {
    this.#mostAnswers = mostAnswers;
  }

  get size(): number {
    return this.#answers.size;
  }

  find(key: string): KeptAnswer | undefined {
    const answer = this.#answers.get(key);
    if (answer !== undefined) answer.isUsed = true;
    return answer;
  }

  /** To be called before a question is sent. */
  ask(): Asked {
    return { at: performance.now(), changes: this.#changes, forgotten: this.#forgotten };
  }

  /** Keeps an answer if it may be kept; `demands`: what it is known to meet. */
  keep(
    key: string,
    response: CheckSessionResponse,
    demands: string,
    asked: Asked,
    epoch: bigint | undefined,
  ): void {
    const { session, cacheUntilTime, position } = response;
    if (session === undefined || cacheUntilTime === undefined || position === undefined) return;
    if (asked.forgotten !== this.#forgotten || position.epoch !== epoch) return;
    const isCurrent = this.#changesOf(session).every(
      ({ sequence, number }) => position.sequence >= sequence && number <= asked.changes,
    );
    if (!isCurrent) return;
    const until = timestampMs(cacheUntilTime);
    const before = this.#answers.get(key);
    const met =
      before?.sessionId === session.id && before.met.size < mostDemands
        ? before.met
        : new Map<string, number>();
    met.set(demands, until);
    this.#remove(key);
    const { id: sessionId, identityId } = session;
    const usedAt = before?.usedAt ?? asked.at;
    this.#answers.set(key, {
      ...{ response: deepFreeze(response), sessionId, identityId, until, met, usedAt, isUsed: false },
    });
    for (const id of [sessionId, identityId]) {
      const keys = this.#keysOf.get(id);
      if (keys === undefined) this.#keysOf.set(id, new Set([key]));
      else keys.add(key);
    }
    if (this.#answers.size > this.#mostAnswers) this.#evict();
  }

  /** Whether a session may have ended, or its token been replaced, by a change that an answer does not include. */
  isOvertaken({ session, position }: CheckSessionResponse): boolean {
    if (session === undefined) return false;
    return this.#changesOf(session).some(
      ({ sequence, hasEnded }) => hasEnded && (position === undefined || position.sequence < sequence),
    );
  }

  /** Drops what a change contradicts, and remembers it. */
  change({ kind, sessionId, identityId, sequence }: SessionChange): void {
    const id = sessionId === "" ? identityId : sessionId;
    const heardAt = performance.now();
    const number = ++this.#changes;
    for (const key of [...(this.#keysOf.get(id) ?? [])]) this.#remove(key);
    const before = this.#changed.get(id);
    this.#changed.delete(id);
    this.#changed.set(id, {
      sequence: before !== undefined && before.sequence > sequence ? before.sequence : sequence,
      number,
      heardAt,
      hasEnded: ending.has(kind) || before?.hasEnded === true || !(kind in SessionChangeKind),
    });
    this.#forgetOld(heardAt);
  }

  /** Drops everything: changes may be missing. */
  forget(): void {
    this.#forgotten++;
    this.#answers.clear();
    this.#keysOf.clear();
    this.#changed.clear();
    this.#least = undefined;
  }

  #changesOf(session: { readonly id: string; readonly identityId: string }): readonly Changed[] {
    const now = performance.now();
    return [this.#changed.get(session.id), this.#changed.get(session.identityId), this.#least].filter(
      (changed): changed is Changed => changed !== undefined && now - changed.heardAt <= rememberedMs,
    );
  }

  /** Oldest first, so that nothing is looked at that is not old. */
  #forgetOld(now: number): void {
    for (const [id, changed] of this.#changed) {
      const isOld = now - changed.heardAt > rememberedMs;
      if (!isOld && this.#changed.size <= mostRemembered) return;
      if (!isOld) this.#least = this.#atLeast(changed);
      this.#changed.delete(id);
    }
  }

  #atLeast(changed: Changed): Changed {
    const before = this.#least;
    if (before === undefined) return changed;
    const newest = before.sequence > changed.sequence ? before : changed;
    return {
      sequence: newest.sequence,
      number: Math.max(before.number, changed.number),
      heardAt: Math.max(before.heardAt, changed.heardAt),
      hasEnded: before.hasEnded || changed.hasEnded,
    };
  }

  /** Removes what was not found for longest, about: what was found since it was last passed over is passed over once more. */
  #evict(): void {
    for (const [key, answer] of this.#answers) {
      if (!answer.isUsed) {
        this.#remove(key);
        return;
      }
      answer.isUsed = false;
      this.#answers.delete(key);
      this.#answers.set(key, answer);
    }
  }

  #remove(key: string): void {
    const answer = this.#answers.get(key);
    if (answer === undefined) return;
    this.#answers.delete(key);
    for (const id of [answer.sessionId, answer.identityId]) {
      const keys = this.#keysOf.get(id);
      keys?.delete(key);
      if (keys?.size === 0) this.#keysOf.delete(id);
    }
  }
}

/** Many requests get the same answer, and none may change it for the others. */
function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value))
    return value;
  for (const member of Object.values(Object.freeze(value))) deepFreeze(member);
  return value;
}
