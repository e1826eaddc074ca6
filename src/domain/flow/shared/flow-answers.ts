import { domainError } from "../../errors.ts";
import { type CallOrigin, newEvent } from "../../event/event.ts";
import type { SubmittedRequest } from "../../form/submission.ts";
import type { IdentityId, SessionId } from "../../ids.ts";
import type { FlowClient } from "../../kinds.ts";
import type { Clock, KeyedDigests, Sealer, Tokens } from "../../ports.ts";
import type { Secret } from "../../secret.ts";
import type { NewSession } from "../../session/session.ts";
import type { SessionStore } from "../../session/store.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { FlowData, FlowRecord } from "./flow.ts";
import type { FlowStore } from "./store.ts";

/** How long the answer to a submit is kept, in case it gets lost: ten minutes. */
const answerLifetimeMs = 10 * 60 * 1000;

/** The answer to a submit, without its tokens. */
export interface KeptAnswer {
  /** The encoded answer, as it was given to `keep`. */
  readonly bytes: Uint8Array;
  readonly client: FlowClient;
  /** The session that it gave. */
  readonly session: AnsweredSession | undefined;
  readonly requestId: string;
}

interface AnsweredSession {
  readonly id: SessionId;
  readonly identityId: IdentityId;
  readonly tokenDigest: Uint8Array;
}

/** The answer as it is sealed; bytes are base64url. */
interface SealedAnswer {
  readonly flow: string;
  readonly id: string;
  readonly body: string;
  readonly at: number;
  readonly bytes: string;
  readonly session?: {
    readonly id: SessionId;
    readonly identityId: IdentityId;
    readonly tokenDigest: string;
  };
}

interface FlowAnswersDependencies {
  readonly flows: Pick<FlowStore, "keepAnswer">;
  readonly sessions: Pick<SessionStore, "replaceToken">;
  readonly sealer: Sealer;
  readonly digests: KeyedDigests;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/**
 * Keeps answers that may get lost: the answer to the last submit of each flow, if it had a request id, sealed in the flow's
 * row.
 *
 * The flow's revision makes a submit single-use, as without a request id. In addition a flow remembers the request ids of the
 * steps that it took, written together with the step. So the same request is refused, and not taken as another step, while the
 * first call has no answer yet, and once another answer is kept.
 */
export class FlowAnswers {
  readonly #deps: FlowAnswersDependencies;

  constructor(deps: FlowAnswersDependencies) {
    this.#deps = deps;
  }

  /** A submit with a request id. `body` is the same for the same request. */
  requestOf(requestId: string, body: string): SubmittedRequest {
    const digest = (text: string) =>
      Buffer.from(this.#deps.digests.make("flow request", text)).toString("base64url");
    return { requestId, id: digest(requestId), body: digest(body) };
  }

  /**
   * The answer to the same submit, if it was answered; undefined if it was not made yet. Only for the holder of the flow.
   * Throws REQUEST_ID_REUSED if another request has the same id, and FLOW_CHANGED if the step was taken and its answer is not
   * there yet or no longer.
   */
  find(flow: FlowRecord, request: SubmittedRequest | undefined): KeptAnswer | undefined {
    if (request === undefined) return undefined;
    const kept = this.#open(flow);
    if (kept?.id !== request.id) {
      if (flow.state === "active" && flow.data.requests?.includes(request.id)) {
        throw domainError("FLOW_CHANGED", {});
      }
      return undefined;
    }
    // Security rule (SR-FLOW-6): only a caller who sends the whole request again, with the secret in it, gets its answer.
    if (kept.body !== request.body) throw domainError("REQUEST_ID_REUSED", { requestId: request.requestId });
    const { session } = kept;
    return {
      bytes: Buffer.from(kept.bytes, "base64url"),
      client: flow.client,
      requestId: request.requestId,
      session: session && { ...session, tokenDigest: Buffer.from(session.tokenDigest, "base64url") },
    };
  }

  /** Keeps the answer to a submit. One round trip. */
  async keep(
    tenant: Tenant,
    flowId: string,
    request: SubmittedRequest,
    answer: { readonly bytes: Uint8Array; readonly session: NewSession | undefined },
  ): Promise<void> {
    const parsed = this.#deps.tokens.parse("flow", flowId);
    if (parsed.kind !== "valid") return;
    const { session } = answer;
    const sealed: SealedAnswer = {
      flow: Buffer.from(parsed.digest).toString("base64url"),
      id: request.id,
      body: request.body,
      at: this.#deps.clock.now().getTime(),
      bytes: Buffer.from(answer.bytes).toString("base64url"),
      ...(session && {
        session: {
          id: session.id,
          identityId: session.identityId,
          tokenDigest: Buffer.from(session.tokenDigest).toString("base64url"),
        },
      }),
    };
    const text = this.#deps.sealer.seal(purpose, Buffer.from(JSON.stringify(sealed)));
    await this.#deps.flows.keepAnswer(tenant, parsed.digest, text);
  }

  /**
   * Gives a session whose token got lost a new token; the lost token is dead. Throws REQUEST_ID_REUSED if that was done
   * already, or if the session is over. One round trip.
   *
   * Security rule (SR-FLOW-6): of several calls with the same request one gets a token, and two tokens of one session are never alive.
   */
  async reissue(
    tenant: Tenant,
    origin: CallOrigin,
    { client, requestId }: KeptAnswer,
    { id, identityId, tokenDigest }: AnsweredSession,
  ): Promise<Secret> {
    const { token, digest } = this.#deps.tokens.issue(
      client === "browser" ? "session_cookie" : "session",
      tenant.name,
    );
    const at = this.#deps.clock.now();
    const actor = { ...origin, actor: { kind: "identity", identityId } } as const;
    const event = newEvent("session.token_replaced", at, actor, { identityId, sessionId: id });
    const change = { from: tokenDigest, to: digest, at, event };
    if (await this.#deps.sessions.replaceToken(tenant, id, change)) return token;
    const message = "The answer was given again already, or its session is over.";
    throw domainError("REQUEST_ID_REUSED", { requestId }, { message });
  }

  #open(flow: FlowRecord): SealedAnswer | undefined {
    if (flow.answer === undefined) return undefined;
    const plain = this.#deps.sealer.open(purpose, flow.answer);
    if (plain === undefined) return undefined;
    // Sealed by us, so its form needs no checking. It names its flow, so it is ignored in the row of another flow.
    const answer = JSON.parse(Buffer.from(plain).toString()) as SealedAnswer;
    const isOwn = answer.flow === Buffer.from(flow.digest).toString("base64url");
    return isOwn && this.#deps.clock.now().getTime() - answer.at < answerLifetimeMs ? answer : undefined;
  }
}

const purpose = "flow answer";

/** How many request ids a flow remembers. */
const mostRequests = 8;

/** The data of a flow after a step: with the submit's request id, and its client data in the place of earlier client data. */
export function dataWith(
  data: FlowData,
  {
    request,
    clientData,
  }: { readonly request?: SubmittedRequest | undefined; readonly clientData?: FlowData["clientData"] },
): FlowData {
  return {
    ...data,
    clientData: clientData ?? data.clientData,
    ...(request && { requests: [...(data.requests ?? []), request.id].slice(-mostRequests) }),
  };
}
