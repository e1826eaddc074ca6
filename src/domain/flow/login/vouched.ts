import { type Event, newEvent } from "../../event/event.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { CredentialReleases } from "../../identity/credential-releases.ts";
import { isObject } from "../../json.ts";
import type { MethodKind } from "../../kinds.ts";
import type {
  LoginAttempt,
  LoginCandidate,
  LoginMethod,
  LoginRefused,
  StepVouched,
  VouchedAccount,
} from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { ThrottleTicket } from "../../throttle/throttle.ts";
import * as texts from "../../user-message/provider-messages.ts";
import type { AccountLinks, Belonging } from "../linking/account-links.ts";
import type { OtherFlows } from "../linking/other-flows.ts";
import type { ProfileUpdates } from "../linking/profile-updates.ts";
import type { AttemptOf, Moved, NotAccepted, StepResult } from "../shared/table.ts";
import type { LoginProof } from "./complete.ts";
import { firstFactorOf, type LoginState, type LoginTypes } from "./state.ts";

type Attempt = AttemptOf<LoginTypes>;
type Ended = LoginTypes["Done"] | Moved<LoginState> | (NotAccepted & LoginRefused);

interface VouchedLoginsDependencies {
  readonly links: AccountLinks;
  readonly releases: Pick<CredentialReleases, "secretAfterLogin">;
  readonly clock: Clock;
  readonly others: OtherFlows;
  readonly profiles: ProfileUpdates;
}

/** Logins of somebody for whose account elsewhere somebody has vouched. */
export class VouchedLogins {
  readonly #deps: VouchedLoginsDependencies;

  constructor(deps: VouchedLoginsDependencies) {
    this.#deps = deps;
  }

  /** Completes the login if the account is linked, by `complete`. Otherwise it goes on in another flow, or is refused. */
  async take(
    attempt: Attempt,
    shown: { readonly vouched: VouchedAccount; readonly by: MethodKind; readonly ticket: ThrottleTicket },
    complete: (
      proof: LoginProof,
      renew: (lost: LoginProof) => Promise<LoginProof | LoginRefused>,
    ) => Promise<Ended>,
  ): Promise<StepResult<LoginTypes>> {
    const { caller, tenant, flow } = attempt;
    const { vouched, by, ticket } = shown;
    const belonging = await this.#deps.links.find(tenant, vouched);
    const proofOf = (found: Belonging): LoginProof | LoginRefused => {
      const owner = ownerOf(attempt, found);
      if (owner === undefined) return this.#refused(attempt, vouched, texts.otherAccount, "OTHER_ACCOUNT");
      // Security rule (SR-LINK-5): an account that cannot sign in does not by a provider either.
      if (owner.identity.state !== "active")
        return this.#refused(attempt, vouched, texts.notLinked, "NOT_LINKED");
      const { credential } = owner;
      const { secret, facts } = vouched.credential;
      return {
        kind: "proved",
        by,
        candidate: owner,
        proof: { kind: "credential" },
        held: [{ digest: flow.digest, revision: flow.revision }],
        authentication: { ...vouched.authentication, ...(credential && { credentialId: credential.id }) },
        replacement: credential && {
          secret: this.#deps.releases.secretAfterLogin(tenant, credential, secret),
          facts,
          isUse: true,
        },
        linked: found.kind === "decided" ? vouched : undefined,
        ticket,
      };
    };
    if (isOwned(attempt) || belonging.kind === "linked" || belonging.kind === "decided") {
      const proof = proofOf(belonging);
      if (proof.kind === "rejected") return proof;
      const ended = await complete(proof, async () => proofOf(await this.#deps.links.find(tenant, vouched)));
      return ended.kind === "completed" ? this.#upToDate(attempt, ended, vouched) : ended;
    }
    // Security rule (SR-LINK-6): where nobody can make an account, none is made this way either, nor any row.
    if (belonging.kind === "stranger" && tenant.settings.registration.mode !== "open") {
      return this.#refused(attempt, vouched, texts.notLinked, "NOT_LINKED");
    }
    const { away: _used, ...state } = { away: undefined, ...attempt.state };
    return {
      kind: "moved",
      state: state as LoginState,
      identityId: undefined,
      ...this.#deps.others.goOn(caller, flow, by, vouched, belonging),
    };
  }

  /** The login, with the traits brought up to date. It counts already: what goes wrong now undoes nothing. */
  async #upToDate(
    { caller, tenant }: Attempt,
    { completed }: Extract<LoginTypes["Done"], { kind: "completed" }>,
    vouched: VouchedAccount,
  ): Promise<LoginTypes["Done"]> {
    const { identity } = completed;
    const actor = { kind: "identity", identityId: identity.id } as const;
    const origin = { ...caller.origin, actor };
    return {
      kind: "completed",
      completed: {
        ...completed,
        identity: await this.#deps.profiles.bring(tenant, identity, vouched, origin),
      },
    };
  }

  #refused(
    { caller }: Attempt,
    { by, credential }: VouchedAccount,
    message: (provider: string) => ReturnType<typeof texts.notLinked>,
    reason: StepRejected["reason"],
  ): NotAccepted {
    const data = { reason, method: credential.kind };
    const event: Event = newEvent("login.failed", this.#deps.clock.now(), caller.origin, { data });
    return { kind: "rejected", reason, problems: { fields: [], form: [message(by)] }, events: [event] };
  }
}

/** What somebody has vouched for in the flow that a login follows, unless the step shows something else. */
export function vouchedBefore(
  { isVouchedFor = false }: Pick<LoginMethod, "isVouchedFor">,
  { step, memory }: Pick<LoginAttempt, "step" | "memory">,
): StepVouched | undefined {
  const isEmpty = Object.values(step.fields).every((value) => value === "");
  if (!isVouchedFor || !isEmpty || !isObject(memory?.vouched)) return undefined;
  return { kind: "vouched", vouched: memory.vouched as unknown as VouchedAccount };
}

/** Whether a login is one account's: nobody else signs in by it. */
function isOwned({ flow, state }: Attempt): boolean {
  return flow.data.purpose.kind !== "sign_in" || firstFactorOf(state) !== undefined;
}

/** Whose the account is, if it may sign in by this login. */
function ownerOf(attempt: Attempt, found: Belonging): LoginCandidate | undefined {
  const owner = found.kind === "linked" || found.kind === "decided" ? found.candidate : undefined;
  if (!isOwned(attempt)) return owner;
  // Security rule (SR-LINK-4): in a flow that is somebody's nobody else signs in, and nothing is linked by the way.
  return found.kind === "linked" && owner?.identity.id === attempt.flow.identityId ? owner : undefined;
}
