import { domainError } from "../../errors.ts";
import { type Event, newEvent } from "../../event/event.ts";
import type { StepRejected } from "../../form/rejection.ts";
import { isSameAddress, verifiedAddresses } from "../../identity/addresses.ts";
import { placeOf } from "../../identity/notices.ts";
import type { LoginCandidate, LoginMethod, LoginRefused } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { ProvedAddress } from "../challenge/challenges.ts";
import { type Away, memoryAt } from "../shared/away.ts";
import type { CodeMessages } from "../shared/code-messages.ts";
import type { FlowCaller } from "../shared/flow.ts";
import { bindingOf, type SecondFactors, shownFirst } from "../shared/second-factors.ts";
import type { AttemptOf, Moved, NotAccepted, StepResult } from "../shared/table.ts";
import { typedAt } from "../shared/typed-address.ts";
import type { LoginCompletions, LoginProof } from "./complete.ts";
import { decide, unmetDemand } from "./decision.ts";
import { countedNames } from "./identifier.ts";
import type { LoginNotices } from "./notices.ts";
import type { PendingActions } from "./pending-actions.ts";
import { comesSecond, proofWorthless } from "./rejections.ts";
import {
  demandedBy,
  type EnteredIdentifier,
  firstFactorOf,
  type LoginState,
  type LoginTypes,
  secondFactorWantedBy,
} from "./state.ts";
import { type VouchedLogins, vouchedBefore } from "./vouched.ts";

type Attempt = AttemptOf<LoginTypes>;

interface LoginProofsDependencies {
  readonly completions: LoginCompletions;
  readonly secondFactors: SecondFactors;
  readonly pending: PendingActions;
  readonly notices: LoginNotices;
  readonly vouched: VouchedLogins;
  readonly codeMessages: CodeMessages;
  readonly clock: Clock;
}

/** The proofs of a login: tried, and followed by a session or by the question for a second factor. */
export class LoginProofs {
  readonly #deps: LoginProofsDependencies;

  constructor(deps: LoginProofsDependencies) {
    this.#deps = deps;
  }

  /** Tries the step of a method, for whom `entered` names. Throws RATE_LIMITED, FLOW_CHANGED. */
  async tryMethod(
    attempt: Attempt,
    method: LoginMethod,
    entered: EnteredIdentifier | undefined,
  ): Promise<StepResult<LoginTypes>> {
    const { caller, tenant, flow, flowId, state, step, candidate } = attempt;
    const memory = memoryAt(state, method.kind);
    const number = method.sendsTo?.({ step, candidate, memory });
    if (number !== undefined) return this.#send(attempt, method, entered, number);
    // Security rule (SR-CODE-2): the attempt is counted before anything is compared (ASVS V6.3.1).
    const ticket = await attempt.count("login", {
      accounts: countedNames(entered, candidate?.identity),
      identityId: candidate?.identity.id,
    });
    // Security rule (SR-ENUM-9): beyond what all names of an identity allow together nothing is compared; the work and the answer stay.
    const isWorthless = ticket.silenced.size > 0;
    const place = placeOf(caller.origin, this.#deps.clock.now());
    // Security rule (SR-PASSKEY-10): where something else says who signs in, nobody learns whether an account has the credential.
    const isNamed =
      entered !== undefined || flow.identityId !== undefined || firstFactorOf(state) !== undefined;
    const isNobodys = !isNamed && candidate === undefined;
    const prove = async (by: LoginCandidate | undefined) => {
      const compared = isWorthless ? undefined : by;
      const result = await method.proveLogin({
        ...{ tenant, step, candidate: compared, memory, place },
        factor: firstFactorOf(state) === undefined ? "first" : "second",
        demanded: demandedBy(flow.data.purpose),
        binding: bindingOf(flow),
        flow: { kind: flow.kind, id: flowId },
        // Security rule (SR-SOCIAL-10): the holder of a session, or one whom an OAuth2 server wants to see anew.
        since: flow.data.purpose.kind === "refresh" || flow.data.oauth2?.isAnew ? flow.createdAt : undefined,
        isForTwo: secondFactorWantedBy(flow.data.purpose) === "demanded",
        typed: entered?.typed ?? attempt.identifier,
        isNobodys,
      });
      if (result.kind !== "proved") return result;
      return {
        by: method.kind,
        kind: "proved",
        candidate: result.candidate,
        proof: { kind: "credential" },
        held: [{ digest: flow.digest, revision: flow.revision }],
        authentication: result.authentication,
        replacement: result.replacement,
        notice: result.notice,
        whenShown: result.whenShown,
        ticket,
      } satisfies LoginProof;
    };
    const given = vouchedBefore(method, { step, memory }) ?? (await prove(candidate));
    if (given.kind === "redirects") {
      const next = { ...state, away: { kind: method.kind, memory: given.memory } } as LoginState;
      return { kind: "moved", state: next, identityId: flow.identityId, url: given.url };
    }
    if (given.kind === "continues") {
      const next = continued(state, { kind: method.kind, memory: given.memory }, entered);
      return { kind: "moved", state: next, identityId: flow.identityId };
    }
    if (given.kind === "vouched") {
      return this.#deps.vouched.take(
        attempt,
        { vouched: given.vouched, by: method.kind, ticket },
        (proof, renew) => this.#complete(attempt, proof, entered?.typed, renew),
      );
    }
    const result = await this.#complete(attempt, given, entered?.typed, async (lost) => {
      const again = await attempt.readAgain();
      // The proof stands as long as it is the same secret of the same active identity; else it is made again.
      const stands =
        again?.identity.state === "active" &&
        again.identity.id === lost.candidate.identity.id &&
        again.credential?.secret === lost.candidate.credential?.secret;
      if (stands) return { ...lost, candidate: again };
      const renewed = await prove(again);
      // It was the method's last step before; what it is now would be the answer to another one.
      if (renewed.kind === "proved" || renewed.kind === "rejected") return renewed;
      throw domainError("FLOW_CHANGED", {});
    });
    if (result.kind !== "rejected") return result;
    const failure = { reason: result.reason, method: method.kind };
    const failed = this.failureOf(caller, candidate, failure);
    if (failed !== undefined && candidate !== undefined && firstFactorOf(state) !== undefined) {
      await this.#deps.notices.onWrongSecondFactor(caller, flow, candidate.identity);
    }
    return {
      ...result,
      events: [failed, this.#signOf(caller, candidate, result)].flatMap((each) => each ?? []),
    };
  }

  /** Sends a code that the method makes: counted as a message, not as a guess. Throws RATE_LIMITED. */
  async #send(
    attempt: Attempt,
    method: LoginMethod,
    entered: EnteredIdentifier | undefined,
    number: string,
  ): Promise<StepResult<LoginTypes>> {
    const { caller, tenant, flow, flowId, state, step, candidate } = attempt;
    const owner = candidate?.identity;
    const refused = await this.#deps.codeMessages.count(attempt, number, owner);
    if (refused !== undefined) return refused;
    const result = await method.proveLogin({
      ...{ tenant, step, candidate },
      memory: memoryAt(state, method.kind),
      place: placeOf(caller.origin, this.#deps.clock.now()),
      factor: firstFactorOf(state) === undefined ? "first" : "second",
      demanded: demandedBy(flow.data.purpose),
      binding: bindingOf(flow),
      flow: { kind: flow.kind, id: flowId },
    });
    if (result.kind !== "continues") throw new Error(`${method.kind} was to send a code`);
    const next = continued(state, { kind: method.kind, memory: result.memory }, entered);
    const sent = this.#deps.codeMessages.sentWith(attempt, result, owner);
    return { kind: "moved", state: next, identityId: flow.identityId, ...sent };
  }

  /** Completes a login by the proof of an address. */
  async tryAddress(attempt: Attempt, proved: ProvedAddress): Promise<StepResult<LoginTypes>> {
    const { target, held, authentication, ticket } = proved;
    const proofOf = (candidate: LoginCandidate | undefined): LoginProof | StepRejected => {
      // Security rule (SR-CODE-10): the proof is worth nothing once the identity is inactive or no longer has the address.
      const stands =
        candidate?.identity.state === "active" &&
        candidate.identity.id === target.identityId &&
        verifiedAddresses(candidate.identity).some((address) => isSameAddress(address, target));
      if (candidate === undefined || !stands) return proofWorthless();
      const proof = { kind: "address", target } as const;
      return { kind: "proved", candidate, proof, held, authentication, ticket };
    };
    const { candidate, readAgain, state } = attempt;
    return this.#complete(attempt, proofOf(candidate), typedAt(state), async () =>
      proofOf(await readAgain()),
    );
  }

  /** The event of a failed login, also for an unknown identifier, so that the time of the answer does not tell them apart. */
  failureOf(
    caller: FlowCaller,
    candidate: LoginCandidate | undefined,
    failure: { readonly reason: string; readonly method: string },
  ): Event | undefined {
    // What cost no try is no failure: it would only fill the log.
    if (failure.reason === "FORM_INCOMPLETE" || failure.reason === "CODE_MALFORMED") return undefined;
    const about = { identityId: candidate?.identity.id, data: failure };
    return newEvent("login.failed", this.#deps.clock.now(), caller.origin, about);
  }

  /** What a refused proof says of the credential. */
  #signOf(
    { origin }: FlowCaller,
    candidate: LoginCandidate | undefined,
    { sign }: LoginRefused,
  ): Event | undefined {
    if (sign === undefined) return undefined;
    const data = { kind: candidate?.credential?.kind ?? "", credentialId: sign.credentialId };
    return newEvent(sign.event, this.#deps.clock.now(), origin, { identityId: candidate?.identity.id, data });
  }

  /** Completes a login by its proof, or waits for a second one where that is wanted. */
  async #complete(
    { caller, tenant, flow, state }: Attempt,
    given: LoginProof | LoginRefused,
    typed: string | undefined,
    renew: (lost: LoginProof) => Promise<LoginProof | LoginRefused>,
  ): Promise<LoginTypes["Done"] | Moved<LoginState> | (NotAccepted & LoginRefused)> {
    const { purpose } = flow.data;
    const first = firstFactorOf(state);
    if (given.kind === "proved" && first === undefined) {
      const { secondFactors, clock } = this.#deps;
      const { candidate, authentication } = given;
      const decision = decide(this.#deps, tenant, given, candidate, { purpose, at: clock.now() });
      if (decision.kind === "second_factor") {
        const { methods } = decision;
        const { credentials, identity } = candidate;
        const firstFactor = secondFactors.firstFactor(authentication, "sign_in", methods, credentials);
        given.whenShown?.();
        return {
          kind: "moved",
          state: { at: "choose_second_factor", firstFactor, typed },
          // From here on the flow is that account's: what ends other flows of it ends this one.
          identityId: identity.id,
          held: given.held,
        };
      }
      if (decision.kind === "refused") return comesSecond(given);
    }
    if (given.kind === "proved") {
      const last = { ...given.authentication, purpose: "sign_in" } as const;
      const demand = unmetDemand(purpose, first === undefined ? [last] : [shownFirst(first), last]);
      if (demand !== undefined) throw domainError("STEP_UP_IMPOSSIBLE", { demand });
    }
    return this.#deps.completions.complete(caller, flow, given, renew);
  }
}

/** The state of a method that asks again. */
function continued(
  state: LoginState,
  method: Extract<LoginState, { at: "continue_method" }>["method"],
  entered: EnteredIdentifier | undefined,
): LoginState {
  const { at: _before, away: _away, ...kept } = state as LoginState & Away;
  const identifier = entered && { identifier: entered };
  return { ...kept, ...identifier, at: "continue_method", method } as LoginState;
}
