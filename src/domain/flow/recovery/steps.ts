import { button } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import {
  isClaimable,
  isRecoverable,
  recoverableAddresses,
  recoveryTarget,
} from "../../identity/recovery-addresses.ts";
import type { ChallengeKind } from "../../kinds.ts";
import { smsRecoversNothing } from "../../user-message/factor-messages.ts";
import * as headings from "../../user-message/stage-messages.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { Challenges, ProvedAddress } from "../challenge/challenges.ts";
import { challengeStates, requestStep, withState } from "../challenge/states.ts";
import type { AccountClaims } from "../claim/account-claims.ts";
import { claimState } from "../claim/states.ts";
import type { SecondFactors } from "../shared/second-factors.ts";
import type { FlowStore } from "../shared/store.ts";
import type { AttemptOf, FlowTable, StepResult } from "../shared/table.ts";
import { addressNode, nobodyHasIt, toAccountName } from "../shared/typed-address.ts";
import {
  addressIdRequired,
  addressNotOffered,
  choiceAmong,
  choiceNode,
  chosenAddress,
  offeredAddresses,
} from "./choice.ts";
import type { RecoveryCompletions } from "./complete.ts";
import { endOf, type RecoveryHolds } from "./holds.ts";
import type { RecoveryState, RecoveryTypes } from "./state.ts";

type State<At extends RecoveryState["at"]> = Extract<RecoveryState, { readonly at: At }>;
type Attempt<At extends RecoveryState["at"] = RecoveryState["at"]> = AttemptOf<RecoveryTypes, State<At>>;
type Result = Promise<StepResult<RecoveryTypes>>;

interface RecoveryTableDependencies {
  readonly flows: Pick<FlowStore, "findForRecovery">;
  readonly challenges: Challenges;
  readonly claims: AccountClaims;
  readonly completions: RecoveryCompletions;
  readonly secondFactors: SecondFactors;
  readonly holds: RecoveryHolds;
}

/** Getting back into an account whose secret is lost, as a table. */
export function recoveryTable(deps: RecoveryTableDependencies): FlowTable<RecoveryTypes> {
  const { flows, challenges, claims, holds } = deps;
  const rules = { kind: "recovery", challenges } as const;

  const nameStep = (kind: ChallengeKind) =>
    requestStep<RecoveryTypes, State<"choose_method">>(rules, kind, {
      leadsTo: [kind === "code" ? "enter_code" : "link_sent", "choose_address"],
      take: (attempt) => takeName(deps, attempt, kind),
    });
  const addressStep = (kind: ChallengeKind) => {
    const rule = requestStep<RecoveryTypes, State<"choose_address">>(rules, kind, {
      hasChoice: true,
      take: (attempt) => takeChoice(deps, attempt, kind),
    });
    const name = kind === "code" ? "sendCode" : "sendLink";
    return {
      ...rule,
      // The question is asked once. The other kind stays on offer to those who submit it by themselves.
      nodes: (...drawn: Parameters<typeof rule.nodes>) => {
        const { choice } = drawn[0].state;
        if (choice.kind !== undefined && choice.kind !== kind) return [];
        return [choiceNode(name, choice), ...rule.nodes(...drawn)];
      },
    };
  };

  return {
    choose_method: {
      stage: "choose_method",
      facts: ({ tenant }) => ({ offers: challenges.offers(tenant, "recovery") }),
      texts: () => ({ title: headings.recoverTitle(), subtitle: headings.recoverName() }),
      nodes: ({ state }, { text = state.typed ?? "" }) => [addressNode(texts.recoveryNameLabel(), text)],
      typed: ({ address }) => ({ text: address }),
      steps: { sendCode: nameStep("code"), sendLink: nameStep("link") },
    },
    choose_address: {
      stage: "choose_address",
      facts: ({ tenant, state }) => ({
        offers: challenges.offers(tenant, "recovery", offeredAddresses(state.choice)),
      }),
      texts: () => ({ title: headings.chooseAddressTitle(), subtitle: headings.chooseAddressHelp() }),
      steps: {
        sendCode: addressStep("code"),
        sendLink: addressStep("link"),
        back: {
          leadsTo: ["choose_method"],
          nodes: () => [button("back", texts.backLabel("recovery"), true)],
          take: async ({ state: { choice } }) => ({
            kind: "moved",
            state: { at: "choose_method", typed: choice.typed },
            identityId: undefined,
          }),
        },
      },
    },
    ...challengeStates<RecoveryTypes>({
      ...rules,
      leadsTo: ["completed", "claim_account", "on_hold"],
      backTo: ["choose_method", "choose_address"],
      back: ({ state: { choice, sentTo } }) =>
        choice === undefined ? { at: "choose_method", typed: sentTo } : { at: "choose_address", choice },
      isFixed: ({ state }) => "choice" in state && state.choice !== undefined,
      lookUp: async ({ tenant }, typed) => {
        const name = toAccountName(typed, tenant.settings.defaultCountry);
        if ("rejected" in name) return undefined;
        return recoveryTarget(await flows.findForRecovery(tenant, name), name);
      },
      prove: (attempt, proved) => takeProof(deps, attempt, proved),
    }),
    claim_account: claimState<RecoveryTypes>({
      kind: "recovery",
      claims,
      // Security rule (SR-LINK-9): a flow that only asks whose the account is recovers none, also where recovery is switched off.
      hasBack: ({ flow }) => flow.data.purpose.asksWhose !== true,
      done: (_attempt, settings) => ({ kind: "completed", completed: { settings, session: undefined } }),
    }),
    on_hold: {
      stage: "on_hold",
      facts: ({ state }) => ({ until: new Date(state.until) }),
      texts: ({ state }) => ({
        title: headings.onHoldTitle(),
        subtitle: headings.onHoldHelp(),
        messages: [texts.recoveryOnHold(new Date(state.until))],
      }),
      steps: {
        back: {
          leadsTo: ["choose_method"],
          nodes: () => [button("back", texts.backLabel("recovery"), true)],
          take: async ({ state: { sentTo } }) => ({
            kind: "moved",
            state: { at: "choose_method", typed: sentTo },
            identityId: undefined,
          }),
        },
      },
    },
    stop_recovery: {
      stage: "stop_recovery",
      facts: ({ state }) => ({ address: state.sentTo, until: new Date(state.until) }),
      texts: ({ state }) => ({
        title: headings.stopRecoveryTitle(),
        subtitle: headings.stopRecoveryHelp(),
        messages: [texts.stopRecovery(state.sentTo, new Date(state.until))],
      }),
      steps: {
        stopRecovery: {
          leadsTo: ["completed", "choose_method"],
          limits: ["link_check"],
          nodes: () => [button("stopRecovery", texts.stopRecoveryLabel())],
          take: (attempt) => holds.stop(attempt),
        },
      },
    },
  };
}

/** Sends a code or link to the named account, or asks where to send it. */
async function takeName(
  { flows, challenges }: RecoveryTableDependencies,
  attempt: Attempt<"choose_method">,
  kind: ChallengeKind,
): Result {
  const { tenant, address } = attempt;
  const sentTo = address.trim();
  const name = toAccountName(address, tenant.settings.defaultCountry);
  if ("rejected" in name) return name.rejected;
  const owner = await flows.findForRecovery(tenant, name);
  const target = recoveryTarget(owner, name);
  // Security rule (SR-ENUM-7): whether anybody was found, and by what, shows in nothing unless that is configured (ASVS V6.3.8).
  if (!tenant.settings.enumerationSafe) {
    if (owner === undefined || target === undefined) return nobodyHasIt();
    const addresses = recoverableAddresses(owner);
    if (addresses.length > 1) {
      // Security rule (SR-ENUM-9): masks are not shown faster than messages are sent.
      await challenges.countOffer(attempt);
      const choice = choiceAmong(addresses, target, { typed: sentTo, kind });
      return { kind: "moved", state: { at: "choose_address", choice }, identityId: owner.id };
    }
  }
  return challenges.request(attempt, { kind, sentTo, target });
}

/** Sends a code or link to the address that was chosen. */
async function takeChoice(
  { challenges }: RecoveryTableDependencies,
  attempt: Attempt<"choose_address">,
  kind: ChallengeKind,
): Result {
  const { step, identity } = attempt;
  const { choice } = attempt.state;
  const { addressId } = step.fields;
  if (typeof addressId !== "string" || addressId === "") return addressIdRequired(step);
  const target = chosenAddress(choice, addressId);
  // Security rule (SR-ENUM-8): only where the flow offered to send it, and only while that address is still the account's to recover by.
  const stands =
    target !== undefined &&
    identity?.state === "active" &&
    identity.id === target.identityId &&
    isRecoverable(identity, target);
  if (!stands) return addressNotOffered(step);
  const sentTo = maskAddress(target);
  const sent = await challenges.request(attempt, { kind, sentTo, target, isFixed: true });
  if (sent.kind === "rejected") return sent;
  return withState<RecoveryTypes>(sent, { ...sent.state, choice });
}

async function takeProof(
  { claims, completions, secondFactors, holds }: RecoveryTableDependencies,
  attempt: Attempt<"enter_code" | "link_sent" | "confirm_link">,
  proved: ProvedAddress,
): Result {
  const { caller, flow, state, identity, credentials } = attempt;
  const isVouched = flow.data.purpose.operator === "vouches";
  if (identity?.state !== "active" || identity.id !== proved.target.identityId) return proofWorthless();
  if (!isVouched && isClaimable(identity, proved.target)) {
    return claims.ask(state, proved);
  }
  // Security rule (SR-CODE-10): an address that is no longer the identity's, or no longer verified, recovers nothing. Where an
  // operator vouches no address does; a change of addresses has closed the flow.
  if (!isVouched && !isRecoverable(identity, proved.target)) return proofWorthless();
  if (secondFactors.isSameKind(attempt.tenant, proved, credentials)) return sameKind();
  // Security rule (SR-HOLD-4): the link that stops a recovery proves nothing, wherever it is opened.
  if (endOf(proved.holder) !== undefined) return proofWorthless();
  const admitted = await holds.admit(attempt, proved, { identity, credentials });
  if (admitted.kind === "moved") return admitted;
  const held = [...proved.held, ...admitted.waited];
  const completed = await completions.complete(caller, flow, { ...proved, held }, { identity, credentials });
  return completed === undefined ? proofWorthless() : { kind: "completed", completed };
}

/** The second factor is a text message, as the proof was. */
function sameKind(): StepRejected {
  return {
    kind: "rejected",
    reason: "SECOND_FACTOR_SAME_KIND",
    problems: { fields: [], form: [smsRecoversNothing()] },
  };
}

function proofWorthless(): StepRejected {
  const problems = { fields: [], form: [texts.invalidCode("recovery")] };
  return { kind: "rejected", reason: "CODE_INVALID", problems };
}
