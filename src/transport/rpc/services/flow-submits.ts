import type { JsonObject as ProtoJsonObject } from "@bufbuild/protobuf";
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { SignedIn } from "../../../../gen/ostiary/flow/v1/outcome_pb.js";
import { toClientData } from "../../../domain/flow/shared/client-data.ts";
import type { AnsweredBefore } from "../../../domain/flow/shared/flow.ts";
import type { FlowAnswers, KeptAnswer } from "../../../domain/flow/shared/flow-answers.ts";
import type { FlowSubmission, SubmittedStep } from "../../../domain/form/submission.ts";
import { instantOf } from "../../../domain/instant.ts";
import type { NewSession } from "../../../domain/session/session.ts";
import { sessionCookie } from "../../net/cookies.ts";
import type { Call } from "../call.ts";
import { fromStruct } from "../convert/common.ts";
import { bodyOf } from "./idempotent.ts";
import type { IdentityProfiles, ProfileOf } from "./identity-profiles.ts";

/** The fields that the requests of all submits have. */
interface SubmitRequest {
  readonly flowId: string;
  readonly csrfToken: string;
  readonly requestId: string;
  readonly clientData?: ProtoJsonObject | undefined;
}

/** The part of the answer to a submit that all kinds of flows have. */
interface SubmitAnswer {
  readonly outcome?: { readonly case?: string | undefined; readonly value?: unknown } | undefined;
}

/** The outcome of a submit, as far as it matters here. */
type Outcome = {
  readonly kind: string;
  readonly completed?: { readonly session?: unknown } | object;
  readonly session?: unknown;
};

/** A session by itself, or with its token. */
type Given = NewSession | { readonly session: NewSession } | undefined;

/**
 * Runs the submits of all kinds of flows. The same request with the same request id gets its answer again, in case it got lost.
 */
export class FlowSubmits {
  readonly #deps: { readonly answers: FlowAnswers; readonly profiles: IdentityProfiles };

  constructor(deps: { readonly answers: FlowAnswers; readonly profiles: IdentityProfiles }) {
    this.#deps = deps;
  }

  /**
   * Runs a submit and makes its answer. With a request id the answer is kept, which is one round trip more. If it was kept
   * before, it is given again, with a new token in the place of the lost one.
   */
  async run<Response extends DescMessage, O extends Outcome>(
    call: Call,
    request: SubmitRequest,
    response: Response,
    submit: (submission: FlowSubmission) => Promise<O>,
    answer: (
      outcome: Exclude<O, AnsweredBefore>,
      profileOf: ProfileOf,
    ) => MessageInitShape<Response> | Promise<MessageInitShape<Response>>,
  ): Promise<MessageInitShape<Response>> {
    const { flowId, csrfToken } = request;
    const clientData = toClientData(fromStruct(request.clientData));
    const submitted =
      request.requestId === "" ? undefined : this.#deps.answers.requestOf(request.requestId, bodyOf(request));
    const outcome = await submit({ flowId, csrfToken, request: submitted, clientData });
    if (isAnsweredBefore(outcome)) return this.#again(call, response, outcome.answer);
    const answered = await answer(outcome as Exclude<O, AnsweredBefore>, this.#deps.profiles.in(call));
    // A submit to an expired flow need not be kept: it gets the same replacement each time.
    if (submitted !== undefined && outcome.kind !== "expired") {
      const bytes = toBinary(response, create(response, withoutTokens(answered)));
      await this.#deps.answers.keep(call.tenant, flowId, submitted, { bytes, session: sessionOf(outcome) });
    }
    return answered;
  }

  async #again<Response extends DescMessage>(
    call: Call,
    response: Response,
    kept: KeptAnswer,
  ): Promise<MessageInitShape<Response>> {
    const { bytes, client, session } = kept;
    const message = fromBinary(response, bytes);
    const signedIn = signedInOf(message as SubmitAnswer);
    if (session === undefined || signedIn === undefined) return message as MessageInitShape<Response>;
    const token = await this.#deps.answers.reissue(call.tenant, call.origin, kept, session);
    if (client === "native") signedIn.sessionToken = token.reveal();
    else {
      const ends = signedIn.session?.expireTime;
      const expiresAt = instantOf(ends === undefined ? call.now : timestampDate(ends));
      const cookie = sessionCookie(call.tenant, token.reveal(), { now: call.now, expiresAt });
      await call.browser.replace(call.origin, cookie);
    }
    return message as MessageInitShape<Response>;
  }
}

function isAnsweredBefore(outcome: Outcome): outcome is AnsweredBefore {
  return outcome.kind === "answered";
}

/** Removes the tokens. Security rule (SR-FLOW-6): no token of a session or device is in the database, not even sealed. */
function withoutTokens<Init>(answer: Init): Init {
  const { outcome } = answer as SubmitAnswer;
  const given = signedInOf(answer as SubmitAnswer);
  if (given === undefined) return answer;
  const signedIn = { ...given, sessionToken: "", deviceToken: "" };
  return { ...answer, outcome: { ...outcome, value: { ...(outcome?.value as object), signedIn } } };
}

/** What was signed in to: by a flow that is over, or by a change of the settings that has shown more. */
function signedInOf({ outcome }: SubmitAnswer): SignedIn | undefined {
  return (outcome?.value as { readonly signedIn?: SignedIn } | undefined)?.signedIn;
}

/** The session that an outcome gives: beside its identity, or with its token. */
function sessionOf({ completed, session }: Outcome): NewSession | undefined {
  const given = (completed as { readonly session?: Given } | undefined)?.session ?? (session as Given);
  if (given === undefined) return undefined;
  return "session" in given ? given.session : given;
}

/** The step that was submitted: the name of the field that is set, and the fields within. */
export function stepOf(step: { case: string | undefined; value?: object }): SubmittedStep {
  if (step.case === undefined) throw new Error("validation lets no request without a step through");
  const { $typeName: _name, ...fields } = { $typeName: "", ...step.value };
  return { name: step.case, fields };
}
