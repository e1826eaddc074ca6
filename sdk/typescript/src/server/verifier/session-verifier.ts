// SPDX-License-Identifier: Apache-2.0
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CallOptions, type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { SessionFeedService } from "../../../../../gen/ostiary/session/v1/session_feed_service_pb.js";
import {
  type CheckSessionRequestSchema,
  type CheckSessionResponse,
  Consistency,
  SessionService,
  SessionView,
} from "../../../../../gen/ostiary/session/v1/session_service_pb.js";
import { checkToken, reachNames } from "../../check-reach.ts";
import type { Ostiary } from "../../client.ts";
import { type OptionNames, refuseUnknownOptions } from "../../options.ts";
import { openTransport, type Reach, type TokenSource } from "../../transport.ts";
import { type Span, spanMs } from "../span.ts";
import { tell } from "../tell.ts";
import { FeedFollower } from "./feed-follower.ts";
import { type Asked, type KeptAnswer, KeptAnswers } from "./kept-answers.ts";
import { type KnownDemands, knownDemands } from "./local-demands.ts";
import { keyOfText } from "./text-key.ts";
import { UseReporter } from "./use-reporter.ts";

/** How to reach the public listener, and what to keep. */
export type SessionVerifierOptions = Reach & {
  /** An API key with the scope `session:watch`, or a function that finds it for each call, for keys that are rotated. */
  readonly apiKey: TokenSource;
  /**
   * How long a session may still pass after it has ended, at the most. What is kept is used only while every change up to that long ago
   * is known to have been heard. From half a second to a minute; not less than twice the server's `session.max_staleness` makes sense.
   * Default: 2 seconds, which goes with the server's default. Usually it is a few milliseconds.
   */
  readonly maxStaleness?: Span | undefined;
  /**
   * What to do while changes are not heard in time: `ask` Ostiary about each session, or `refuse` everybody, which spares a server that
   * is in trouble. Until changes were heard for the first time Ostiary is asked. Default: `ask`.
   */
  readonly whenStale?: "ask" | "refuse" | undefined;
  /** How many answers to keep, of about 2 KB each: from 1 to a million. Default: 10,000. */
  readonly maxAnswers?: number | undefined;
  /**
   * Told when changes cannot be heard any more, once until they can be again; for the log. It is not waited for, and what it throws or
   * rejects with is ignored.
   */
  readonly onProblem?: ((error: unknown) => unknown) | undefined;
};

const optionNames: OptionNames<SessionVerifierOptions> = {
  ...reachNames,
  apiKey: true,
  maxStaleness: true,
  whenStale: true,
  maxAnswers: true,
  onProblem: true,
};

/** Checks sessions in this process, from answers that it keeps. A guard takes it as its option `ostiary`. */
export interface SessionVerifier extends Pick<Ostiary, "sessions"> {
  /**
   * The clients of SessionService, whose `checkSession` answers from memory where it can. Kept answers are shared, and frozen. All else
   * goes to Ostiary, without the API key.
   */
  readonly sessions: Ostiary["sessions"];
  /** Whether all changes are heard at the moment, so that kept answers are used. */
  readonly isFresh: boolean;
  /** How many answers are kept. */
  readonly size: number;
  /** Stops following, and reports the last uses. Checks go on, by asking. */
  close(): Promise<void>;
}

/** How often a use of the same session is noted. */
const useIntervalMs = 30_000;

/** Makes a verifier, which follows the changes of sessions from now on. Throws a TypeError for options that cannot be meant. */
export function createSessionVerifier(options: SessionVerifierOptions): SessionVerifier {
  refuseUnknownOptions("createSessionVerifier", options, optionNames);
  const { apiKey, whenStale = "ask", maxAnswers = 10_000, onProblem } = options;
  if (apiKey === undefined) throw new TypeError("apiKey must be an API key with the scope session:watch");
  checkToken("apiKey", apiKey);
  if (whenStale !== "ask" && whenStale !== "refuse")
    throw new TypeError(`whenStale must be "ask" or "refuse": ${String(whenStale)}`);
  if (!Number.isInteger(maxAnswers) || maxAnswers < 1 || maxAnswers > 1_000_000)
    throw new TypeError(`maxAnswers must be from 1 to 1000000: ${String(maxAnswers)}`);
  if (onProblem !== undefined && typeof onProblem !== "function")
    throw new TypeError("onProblem must be a function");
  return new Verifier({
    // Nobody's key goes along with what a stranger's token asks.
    sessions: createClient(SessionService, openTransport(options, { format: "binary" })),
    feed: createClient(SessionFeedService, openTransport(options, { format: "binary", token: apiKey })),
    maxStalenessMs: spanMs("maxStaleness", options.maxStaleness ?? "2s", 500, 60_000),
    refusesWhenStale: whenStale === "refuse",
    maxAnswers,
    onProblem: (error) => void tell(onProblem, error),
  });
}

interface VerifierParts {
  readonly sessions: Client<typeof SessionService>;
  readonly feed: Client<typeof SessionFeedService>;
  readonly maxStalenessMs: number;
  readonly refusesWhenStale: boolean;
  readonly maxAnswers: number;
  readonly onProblem: (error: unknown) => void;
}

type Request = MessageInitShape<typeof CheckSessionRequestSchema>;

class Verifier implements SessionVerifier {
  readonly sessions: Client<typeof SessionService>;
  readonly #parts: VerifierParts;
  readonly #kept: KeptAnswers;
  readonly #follower: FeedFollower;
  readonly #uses: UseReporter;
  /** Questions that are on their way, by what they ask. */
  readonly #asking = new Map<string, Promise<CheckSessionResponse>>();

  constructor(parts: VerifierParts) {
    this.#parts = parts;
    this.#kept = new KeptAnswers(parts.maxAnswers);
    this.#follower = new FeedFollower({
      client: parts.feed,
      listener: this.#kept,
      maxStalenessMs: parts.maxStalenessMs,
      onProblem: parts.onProblem,
    });
    this.#uses = new UseReporter(parts.feed);
    this.sessions = { ...parts.sessions, checkSession: (request, options) => this.#check(request, options) };
  }

  get isFresh(): boolean {
    return this.#follower.isFresh(performance.now());
  }

  get size(): number {
    return this.#kept.size;
  }

  close(): Promise<void> {
    this.#follower.close();
    this.#kept.forget();
    return this.#uses.close();
  }

  /** An async method would cost a hit as much again. */
  #check(request: Request, options: CallOptions | undefined): Promise<CheckSessionResponse> {
    const now = performance.now();
    const isPlain =
      request.atLeast === undefined &&
      (request.consistency ?? Consistency.UNSPECIFIED) <= Consistency.BOUNDED;
    const shown = shownBy(request);
    if (!isPlain || shown === undefined) return this.#parts.sessions.checkSession(request, options);
    if (!this.#follower.isFresh(now)) {
      return this.#parts.refusesWhenStale && this.#follower.isHeard
        ? Promise.reject(stale())
        : this.#parts.sessions.checkSession(request, options);
    }
    const demands = knownDemands(request.demands ?? []);
    const key = keyOfText(request.view === SessionView.FULL ? `full ${shown}` : `basic ${shown}`);
    const answer = this.#kept.find(key);
    if (answer !== undefined && this.#counts(answer, demands, now)) {
      if (now - answer.usedAt >= useIntervalMs) {
        answer.usedAt = now;
        this.#uses.note(answer.sessionId, now);
      }
      return Promise.resolve(answer.response);
    }
    return this.#askOnce(key, demands, request, options);
  }

  /** Whether a kept answer shows now that a session counts and meets demands. */
  #counts({ response, until, met }: KeptAnswer, demands: KnownDemands, now: number): boolean {
    const serverTime = this.#follower.serverTime(now);
    if (serverTime >= until) return false;
    const metUntil = met.get(demands.key);
    return (metUntil !== undefined && serverTime < metUntil) || demands.areMet(response, serverTime);
  }

  /** Those who ask for the same at the same time share the answer; each waits only for as long as it wants to. */
  #askOnce(
    key: string,
    demands: KnownDemands,
    request: Request,
    options: CallOptions = {},
  ): Promise<CheckSessionResponse> {
    const question = `${key} ${demands.key}`;
    const shared = this.#asking.get(question);
    if (shared !== undefined) return within(this.#joined(shared, request, options), options.signal);
    const { timeoutMs } = options;
    const asking = this.#ask(key, demands, request, timeoutMs === undefined ? {} : { timeoutMs });
    this.#asking.set(question, asking);
    const finished = () => this.#asking.delete(question);
    asking.then(finished, finished);
    return within(asking, options.signal);
  }

  /** The answer to a question that was sent before this one was asked. It counts only while the feed would have told otherwise. */
  async #joined(
    asking: Promise<CheckSessionResponse>,
    request: Request,
    options: CallOptions,
  ): Promise<CheckSessionResponse> {
    const response = await asking;
    return this.isFresh ? response : this.#parts.sessions.checkSession(request, options);
  }

  async #ask(
    key: string,
    demands: KnownDemands,
    request: Request,
    options: CallOptions,
  ): Promise<CheckSessionResponse> {
    const { sessions } = this.#parts;
    const asked = this.#kept.ask();
    const response = await sessions.checkSession(request, options);
    if (!this.#kept.isOvertaken(response)) {
      this.#keep(key, response, demands, asked);
      return response;
    }
    // Security rule (SR-SDK-10): what the feed has told counts more than the answer of a server that has not heard of it.
    const again = this.#kept.ask();
    const certain = await sessions.checkSession({ ...request, consistency: Consistency.STRONG }, options);
    this.#keep(key, certain, demands, again);
    return certain;
  }

  #keep(key: string, response: CheckSessionResponse, demands: KnownDemands, asked: Asked): void {
    if (!this.#follower.mayKeep(asked.at)) return;
    this.#kept.keep(key, response, demands.key, asked, this.#follower.epoch);
  }
}

/** The token or cookies of a request; undefined if there is nothing that an answer could be kept for. */
function shownBy({ token = "", cookies = [] }: Request): string | undefined {
  if (token !== "") return cookies.length === 0 ? `token ${token}` : undefined;
  return cookies.length === 0 ? undefined : `cookies ${cookies.join("\n")}`;
}

function stale(): ConnectError {
  return new ConnectError("changes of sessions are not heard at the moment", Code.Unavailable);
}

/** Waits for what others may wait for as well, until the signal. */
function within<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(ConnectError.from(signal.reason, Code.Canceled));
    signal.addEventListener("abort", abort, { once: true });
    const settled = () => signal.removeEventListener("abort", abort);
    promise.then(resolve, reject).finally(settled);
    if (signal.aborted) abort();
  });
}
