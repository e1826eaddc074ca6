import type { StepRejected } from "../../form/rejection.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { Identity } from "../../identity/identity.ts";
import type { ChallengeKind } from "../../kinds.ts";
import { verifyAddress, verifyTitle } from "../../user-message/stage-messages.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { Challenges } from "../challenge/challenges.ts";
import { challengeStates, requestStep } from "../challenge/states.ts";
import type { AccountClaims } from "../claim/account-claims.ts";
import { claimState } from "../claim/states.ts";
import type { Flow } from "../shared/flow.ts";
import type { FlowStore } from "../shared/store.ts";
import type { FlowTable, RecordOf, StepRule } from "../shared/table.ts";
import { addressNode, nobodyHasIt, toAddress } from "../shared/typed-address.ts";
import type { VerificationCompletions } from "./complete.ts";
import type { VerificationState, VerificationTypes } from "./state.ts";

type Choosing = Extract<VerificationState, { readonly at: "choose_method" }>;

interface VerificationTableDependencies {
  readonly flows: Pick<FlowStore, "findByAddress">;
  readonly challenges: Challenges;
  readonly claims: AccountClaims;
  readonly completions: VerificationCompletions;
}

/** Showing that an address is one's own, as a table. */
export function verificationTable(deps: VerificationTableDependencies): FlowTable<VerificationTypes> {
  const { flows, challenges, claims, completions } = deps;

  const sendStep = (kind: ChallengeKind) =>
    requestStep<VerificationTypes, Choosing>({ kind: "verification", challenges }, kind, {
      take: async (attempt) => {
        const { tenant, address: typed } = attempt;
        const address = toAddress(typed, tenant.settings.defaultCountry);
        if ("rejected" in address) return address.rejected;
        const owner = await flows.findByAddress(tenant, address.kind, address.value);
        if (owner?.state !== "active" && !tenant.settings.enumerationSafe) return nobodyHasIt();
        const target = targetOf(owner, address);
        return challenges.request(attempt, { kind, sentTo: typed.trim(), target });
      },
    });
  const steps: Record<string, StepRule<VerificationTypes, Choosing>> = {
    sendCode: sendStep("code"),
    sendLink: sendStep("link"),
  };

  return {
    choose_method: {
      stage: "choose_method",
      facts: ({ tenant }) => ({ offers: challenges.offers(tenant, "verification") }),
      texts: () => ({ title: verifyTitle(), subtitle: verifyAddress() }),
      nodes: ({ state }, { text = state.typed ?? "" }) => [addressNode(texts.addressLabel(), text)],
      typed: ({ address }) => ({ text: address }),
      steps,
    },
    ...challengeStates<VerificationTypes>({
      kind: "verification",
      challenges,
      leadsTo: ["completed", "claim_account"],
      backTo: ["choose_method"],
      back: ({ state }) => ({ at: "choose_method", typed: state.sentTo }),
      isFixed: () => false,
      lookUp: async ({ tenant }, typed) => {
        const address = toAddress(typed, tenant.settings.defaultCountry);
        if ("rejected" in address) return undefined;
        const { kind, value } = address;
        return targetOf(await flows.findByAddress(tenant, kind, value), address);
      },
      prove: async ({ caller, flow, state }, proved) => {
        const { identityId } = proved.target;
        const completion = identityId && (await completions.complete(caller, flow, proved, identityId));
        if (completion === "completed") return verified(flow, state.sentTo);
        return completion === "unclaimed" ? claims.ask(state, proved) : addressGone();
      },
    }),
    claim_account: claimState<VerificationTypes>({
      kind: "verification",
      claims,
      done: ({ flow, state }, settings) => verified(flow, state.sentTo, settings),
    }),
  };
}

function verified(
  { returnTo }: RecordOf<VerificationTypes>,
  verifiedAddress: string,
  settings?: Flow,
): VerificationTypes["Done"] {
  return { kind: "completed", completed: { returnTo, verifiedAddress, settings } };
}

/** Security rule (SR-ENUM-1): what is verified already, or is nobody's, is answered like what waits (ASVS V6.3.8). */
function targetOf(
  owner: Identity | undefined,
  address: Pick<ContactAddress, "kind" | "value">,
): ContactAddress | undefined {
  const waits = owner?.verifiableAddresses.some(
    ({ kind, value, verifiedAt }) =>
      kind === address.kind && value === address.value && verifiedAt === undefined,
  );
  return owner?.state === "active" && waits ? { ...address, identityId: owner.id } : undefined;
}

function addressGone(): StepRejected {
  const problems = { fields: [], form: [texts.invalidCode("verification")] };
  return { kind: "rejected", reason: "CODE_INVALID", problems };
}
