import type { MailReach } from "../../courier/mail-reach.ts";
import type { StepRejected } from "../../form/rejection.ts";
import { accountName } from "../../identity/account-name.ts";
import { ownsProven } from "../../identity/address-claims.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import { placeOf } from "../../identity/notices.ts";
import { mergeTraits } from "../../identity/own-traits.ts";
import type { ChallengeKind } from "../../kinds.ts";
import type { RegistrationMethod, SecretAttempt, VouchedAccount } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { ThrottleTicket } from "../../throttle/throttle.ts";
import type { Challenges, ProvedAddress } from "../challenge/challenges.ts";
import { withState } from "../challenge/states.ts";
import type { AccountLinks } from "../linking/account-links.ts";
import type { OtherFlows } from "../linking/other-flows.ts";
import { saidAtField } from "../shared/address-bounced.ts";
import { memoryAt } from "../shared/away.ts";
import { askerOf } from "../shared/hash-asker.ts";
import { bindingOf } from "../shared/second-factors.ts";
import type { FlowStore } from "../shared/store.ts";
import type { AttemptOf, RecordOf, StepResult } from "../shared/table.ts";
import { identifiersTaken } from "../shared/traits.ts";
import type { NewAccount, NewAccounts } from "./complete.ts";
import { invitationGone, isProven, provenByInvitation } from "./invited.ts";
import {
  addressOf,
  fittingTraits,
  givenTraits,
  hasOtherAddresses,
  isChanged,
  noIdentifier,
  oneAddressForLink,
  ownedBefore,
  type Profile,
  profileOf,
  traitsChanged,
} from "./profile.ts";
import { firstState, type RegistrationState, type RegistrationTypes, type SchemaOf } from "./state.ts";
import { proofRequest, takenBeside, takenOf } from "./taken-identifiers.ts";

type State<At extends RegistrationState["at"]> = Extract<RegistrationState, { readonly at: At }>;
type Attempt<At extends RegistrationState["at"]> = AttemptOf<RegistrationTypes, State<At>>;
type Choosing = "fill_form" | "choose_method" | "continue_method";
type Result = StepResult<RegistrationTypes>;

interface SignUpDependencies {
  readonly flows: FlowStore;
  readonly challenges: Challenges;
  readonly accounts: NewAccounts;
  readonly links: AccountLinks;
  readonly others: OtherFlows;
  readonly clock: Clock;
  readonly schemaOf: SchemaOf;
  readonly mailReach: Pick<MailReach, "reaches">;
}

/** The steps of a registration. */
export class SignUp {
  readonly #deps: SignUpDependencies;

  constructor(deps: SignUpDependencies) {
    this.#deps = deps;
  }

  /** The traits, where they come before the method. */
  async takeProfile(attempt: Attempt<"fill_profile">): Promise<Result> {
    const { tenant, flow, traits: patch } = attempt;
    const isProof = provesFirst(tenant);
    const profile = this.#profileOf(attempt, patch, isProof);
    if (profile.kind === "rejected") return profile;
    // Security rule (SR-FLOW-7): nobody is looked up here, so nothing tells whether an identifier is taken (ASVS V6.3.8).
    return {
      kind: "moved",
      state: { at: "choose_method", traits: profile.traits },
      identityId: flow.identityId,
    };
  }

  /** A method, with the traits or after them. Throws RATE_LIMITED. */
  async takeMethod(attempt: Attempt<Choosing>, method: RegistrationMethod): Promise<Result> {
    if (method.isVouchedFor) return this.takeVouching(attempt, method);
    const { tenant, flow, state } = attempt;
    const isProof = provesFirst(tenant);
    const checked = this.#checked(attempt, isProof);
    if (checked.kind === "rejected") return this.#withMistakesOf(method, attempt, checked);
    const proven = provenByInvitation(flow.data.purpose);
    const mailbox = this.#deps.accounts.mailboxOf(tenant, checked.derived, proven);
    const ticket = await this.#count(attempt, mailbox);
    const identifiers = checked.derived.identifiers.map(({ value }) => value);
    const { traits } = checked;
    const account = { traits, identifiers, name: accountName(checked.derived) };
    const result = await method.proveRegistration(this.#given(attempt, method, account));
    const { identityId } = flow;
    switch (result.kind) {
      case "rejected":
        return result;
      case "redirects": {
        const away = { kind: method.kind, memory: result.memory };
        const next = { at: choiceOf(state), traits, away };
        return { kind: "moved", state: next, identityId, url: result.url };
      }
      case "continues": {
        const next = { kind: method.kind, memory: result.memory };
        const from = choiceOf(state);
        return {
          kind: "moved",
          state: { at: "continue_method", from, traits, method: next },
          identityId,
        };
      }
      case "vouched":
        throw new Error(`${method.kind} does not say that somebody vouches`);
      case "proved":
        break;
      default:
        return result satisfies never;
    }
    const proved = { credential: result.credential, authentication: result.authentication };
    const address = addressOf(checked.derived);
    // Those who opened the invitation that was sent there need not prove it again.
    const isInvited = address !== undefined && isProven(proven, address);
    if (!isInvited && isProof) return this.#requestProof(attempt, "code", checked, proved);
    const held = [{ digest: flow.digest, revision: flow.revision }];
    return this.#makeAccount(attempt, { ...checked, proved, held, proven, ticket });
  }

  /**
   * A method that brings the traits: what was typed by then is kept, and no more. Throws RATE_LIMITED.
   *
   * Security rule (SR-LINK-1): whose the account elsewhere is decides its key. Somebody who has an account here signs in to it.
   */
  async takeVouching(
    attempt: Attempt<Choosing | "fill_profile">,
    method: RegistrationMethod,
  ): Promise<Result> {
    const { caller, tenant, flow, state, traits: patch } = attempt;
    const ticket = await this.#count(attempt, undefined);
    const typed = mergeTraits(givenTraits(flow), patch);
    const kept = typed.beyondLimits === undefined ? typed.merged : givenTraits(flow);
    const account = { traits: kept, identifiers: [], name: "" };
    const result = await method.proveRegistration(this.#given(attempt, method, account));
    const { identityId } = flow;
    if (result.kind === "rejected") return result;
    if (result.kind === "redirects") {
      const at = state.at === "continue_method" ? state.from : state.at;
      const away = { kind: method.kind, memory: result.memory };
      return { kind: "moved", state: { at, traits: kept, away }, identityId, url: result.url };
    }
    if (result.kind !== "vouched") throw new Error(`${method.kind} says that somebody vouches`);
    const { vouched } = result;
    const belonging = await this.#deps.links.find(tenant, vouched);
    if (belonging.kind !== "stranger") {
      const first = firstState(tenant, kept);
      const next = this.#deps.others.goOn(caller, flow, method.kind, vouched, belonging);
      return { kind: "moved", state: first, identityId, ...next };
    }
    const filled = this.filledIn(tenant, flow, vouched, kept);
    const whole = { ...flow, data: { ...flow.data, state: filled } };
    if (!this.isWhole(tenant, whole)) return { kind: "moved", state: filled, identityId };
    return this.takeVouched({ ...attempt, flow: whole, state: filled, traits: {} }, ticket);
  }

  /** The account of somebody for whose account elsewhere somebody has vouched. `counted`: as a registration. Throws RATE_LIMITED. */
  async takeVouched(attempt: Attempt<"complete_profile">, counted?: ThrottleTicket): Promise<Result> {
    const { tenant, flow, state, traits: patch } = attempt;
    const { vouched } = state;
    const proven = provenBy(flow);
    const profile = this.#profileOf(attempt, patch, provesFirst(tenant));
    if (profile.kind === "rejected") return profile;
    const mailbox = this.#deps.accounts.mailboxOf(tenant, profile.derived, proven);
    const isCounted = counted !== undefined && mailbox === undefined;
    const ticket = isCounted ? counted : await this.#count(attempt, mailbox);
    const proved = { credential: vouched.credential, authentication: vouched.authentication };
    const address = addressOf(profile.derived);
    const isShown = address !== undefined && isProven(proven, address);
    if (!isShown && provesFirst(tenant)) return this.#requestProof(attempt, "code", profile, proved);
    const held = [{ digest: flow.digest, revision: flow.revision }];
    return this.#makeAccount(attempt, { ...profile, proved, held, proven, ticket, vouched });
  }

  /**
   * Where somebody goes on for whose account elsewhere somebody has vouched. What was typed is what they want; what is missing of it is
   * filled in, as far as it follows the schema.
   */
  filledIn(
    tenant: Tenant,
    flow: Parameters<SchemaOf>[1],
    vouched: VouchedAccount,
    typed: Profile["traits"] = {},
  ): State<"complete_profile"> {
    const fitting = fittingTraits(this.#deps.schemaOf(tenant, flow), vouched.traits);
    const { merged: traits } = mergeTraits(fitting, typed);
    return { at: "complete_profile", traits, vouched };
  }

  /** Whether an account could be made of what somebody vouched for, with nothing to ask. */
  isWhole(tenant: Tenant, flow: RecordOf<RegistrationTypes>): boolean {
    return this.#profileOf({ tenant, flow }, {}, provesFirst(tenant)).kind === "valid";
  }

  /** A code or link instead of a method. Throws RATE_LIMITED. */
  async takeChallenge(attempt: Attempt<"fill_form" | "choose_method">, kind: ChallengeKind): Promise<Result> {
    const checked = this.#checked(attempt, true);
    if (checked.kind === "rejected") return checked;
    await this.#count(attempt, undefined);
    // Security rule (SR-OWNER-6): a link makes an account without a password. Otherwise somebody could begin with an address that is
    // not theirs and a password of their own, and its owner's click would give them the account that they know the
    // password of. A code is entered where the password was: one person chose it and proves the address.
    const proved = { credential: undefined, authentication: { kind, assuranceLevel: "aal1" } } as const;
    return this.#requestProof(attempt, kind, checked, proved);
  }

  /** The address was proven: what was filled in before stands. */
  async takeProof(
    attempt: Attempt<"enter_code" | "link_sent" | "confirm_link">,
    { holder: waiting, held, target, ticket, authentication: given }: ProvedAddress,
  ): Promise<Result> {
    // Of a link it is the flow that asked for it which knows the traits, not the one that it opened.
    const holder = waiting as RecordOf<RegistrationTypes>;
    const { tenant, flow } = attempt;
    // The schema may have changed since.
    const proven = [target, ...provenBy(holder)];
    const schema = this.#deps.schemaOf(tenant, flow);
    const country = tenant.settings.defaultCountry;
    const profile = profileOf(schema, holder, {}, { owns: ownsProven(proven), country });
    if (profile.kind === "rejected") return profile;
    const { state } = holder.data;
    const account = "account" in state ? state.account : undefined;
    // Security rule (SR-OWNER-6): a click sets no password, whatever the flow that holds the link remembers.
    const isClick = given.kind === "link";
    const proved = isClick || !account ? { credential: undefined, authentication: given } : account;
    // Security rule (SR-LINK-8): nor does it link an account elsewhere, which somebody else may have come by.
    const vouched = !isClick && "vouched" in state ? state.vouched : undefined;
    // Those who get here have shown that the address is theirs, so they may know if it is taken.
    return this.#makeAccount(attempt, { ...profile, proved, held, proven, ticket, vouched });
  }

  /** Whether traits that were sent would change those that were accepted. */
  changes({
    tenant,
    flow,
    traits,
  }: Pick<AttemptOf<RegistrationTypes>, "tenant" | "flow" | "traits">): boolean {
    return isChanged(traits, flow, this.#deps.schemaOf(tenant, flow), tenant.settings.defaultCountry);
  }

  /**
   * What is wrong with the traits, and what is wrong with the method's own fields beside them.
   *
   * Security rule (SR-TRAIT-8): a form with mistakes costs no hash and no question to another server, and nobody is looked up for it, so
   * the answer tells nothing of who has an account.
   */
  #withMistakesOf(
    method: RegistrationMethod,
    { tenant, flow, step, traits: patch }: Attempt<Choosing>,
    rejected: StepRejected,
  ): StepRejected {
    const { merged: traits } = mergeTraits(givenTraits(flow), patch);
    const mistakes = method.mistakesIn?.({ tenant, step, account: { traits, identifiers: [], name: "" } });
    if (mistakes === undefined) return rejected;
    const { fields, form } = rejected.problems;
    const problems = {
      fields: [...fields, ...mistakes.problems.fields],
      form: [...form, ...mistakes.problems.form],
    };
    return { ...rejected, problems };
  }

  /** What a method is tried with. */
  #given(
    { caller, tenant, flow, flowId, state, step }: AttemptOf<RegistrationTypes>,
    { kind }: RegistrationMethod,
    account: SecretAttempt["account"],
  ): SecretAttempt {
    return {
      ...{ tenant, step, account, credentials: [], binding: bindingOf(flow), isFresh: true },
      memory: memoryAt(state, kind),
      flow: { kind: flow.kind, id: flowId },
      place: placeOf(caller.origin, this.#deps.clock.now()),
      asker: askerOf(caller, account.identifiers[0]),
    };
  }

  /** Traits that an account can be made of; those that were accepted are not changed by the way. */
  #checked(attempt: Attempt<Choosing>, isProof: boolean): Profile | StepRejected {
    const { state, traits: patch } = attempt;
    if (state.at !== "fill_form" && this.changes(attempt)) return traitsChanged();
    return this.#profileOf(attempt, patch, isProof);
  }

  #profileOf(
    { tenant, flow }: Pick<AttemptOf<RegistrationTypes>, "tenant" | "flow">,
    patch: Profile["traits"],
    isProof: boolean,
  ) {
    const country = tenant.settings.defaultCountry;
    return profileOf(this.#deps.schemaOf(tenant, flow), flow, patch, {
      owns: ownedBefore(flow, isProof),
      country,
      reach: this.#deps.mailReach,
    });
  }

  /**
   * Counted before a password is hashed, and before an answer could tell that an identifier is taken (ASVS V2.4.1). So is the
   * message that follows, before there is an account: afterwards it is too late to say so.
   */
  #count(
    { count }: Pick<AttemptOf<RegistrationTypes>, "count">,
    mailbox: string | undefined,
  ): Promise<ThrottleTicket> {
    const action = mailbox === undefined ? "registration" : "registration_sending";
    return count(action, { session: undefined, registrationMailbox: mailbox });
  }

  /** Sends a code or link to the address that the account is to have. */
  async #requestProof(
    attempt: Attempt<Choosing | "complete_profile">,
    kind: ChallengeKind,
    { traits, derived }: Profile,
    account: NewAccount["proved"],
  ): Promise<Result> {
    const { tenant, state } = attempt;
    const { flows, challenges } = this.#deps;
    const target = addressOf(derived);
    if (target === undefined) return noIdentifier();
    // Security rule (SR-OWNER-6): the person who clicks may not have filled in the form. Another address in it would later
    // open the account: the link is for an account that has none but the one that it goes to.
    if (kind === "link" && hasOtherAddresses(derived, target)) return oneAddressForLink();
    const taken = await takenBeside(flows, tenant, derived, target);
    if (taken !== undefined) return taken;
    const request = await proofRequest(flows, tenant, target, { kind });
    if (request.target === undefined && !tenant.settings.enumerationSafe) {
      return identifiersTaken(derived, new Set([target.value]));
    }
    const sent = await challenges.request(attempt, request);
    if (sent.kind === "rejected") return saidAtField(sent, derived, target.value);
    const vouched = state.at === "complete_profile" ? state.vouched : undefined;
    const from = state.at === "complete_profile" ? state.at : choiceOf(state);
    return withState<RegistrationTypes>(sent, { ...sent.state, from, traits, account, vouched });
  }

  async #makeAccount(
    { caller, tenant, flow }: AttemptOf<RegistrationTypes>,
    account: NewAccount,
  ): Promise<Result> {
    const completed = await this.#deps.accounts.complete(caller, flow, account);
    if (completed === "invitation_gone") return invitationGone();
    if (completed !== "identifier_taken") return completed;
    const { vouched, derived } = account;
    const address = addressOf(derived);
    // Whether an address is taken is told here in any case: its owner can go on, and link what was vouched for.
    const owner = vouched && address && (await this.#deps.flows.findForRecovery(tenant, address));
    if (!vouched || !owner) return takenOf(this.#deps.flows, tenant, account);
    const belonging = { kind: "held", identityId: owner.id } as const;
    const { kind } = vouched.credential;
    const next = this.#deps.others.goOn(caller, flow, kind, vouched, belonging);
    const state = firstState(tenant, account.traits);
    return { kind: "moved", state, identityId: flow.identityId, held: account.held, ...next };
  }
}

/** The addresses that were shown to be the person's own, by the invitation or by who vouches for an account elsewhere. */
function provenBy({ data: { purpose, state } }: RecordOf<RegistrationTypes>): readonly ContactAddress[] {
  const { addresses = [] } = ("vouched" in state && state.vouched) || {};
  return [...provenByInvitation(purpose), ...addresses.map(({ kind, value }) => ({ kind, value }))];
}

/** Whether an address is proven before there is an account. */
function provesFirst({ settings }: Tenant): boolean {
  return settings.registration.addressProof === "before_session";
}

function choiceOf(state: State<Choosing>): "fill_form" | "choose_method" {
  return state.at === "continue_method" ? state.from : state.at;
}
