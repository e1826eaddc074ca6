import type { StepRejected } from "../../form/rejection.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { DerivedTraits } from "../../identity/identity.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { ChallengeRequest } from "../challenge/challenges.ts";
import type { FlowStore } from "../shared/store.ts";
import { credentialTaken, identifiersTaken } from "../shared/traits.ts";
import type { NewAccount } from "./complete.ts";

/**
 * Security rule (SR-ENUM-2): a taken address is answered exactly like a free one, and its owner is told (ASVS V6.3.8). Only a proof
 * of the address leads further, and none is sent for a taken one.
 */
export async function proofRequest(
  flows: FlowStore,
  tenant: Tenant,
  target: ContactAddress,
  request: Pick<ChallengeRequest, "kind">,
): Promise<ChallengeRequest> {
  const taken = await flows.takenIdentifiers(tenant, [target.value]);
  if (taken.length === 0) return { ...request, sentTo: target.value, target };
  const instead = { template: "registration_taken", data: {}, recipient: target } as const;
  return { ...request, sentTo: target.value, target: undefined, instead };
}

/** What is wrong with identifiers beside the address: a username cannot be kept secret from who wants to have it. */
export async function takenBeside(
  flows: FlowStore,
  tenant: Tenant,
  derived: DerivedTraits,
  address: ContactAddress,
): Promise<StepRejected | undefined> {
  const others = derived.identifiers.filter(({ value }) => value !== address.value);
  if (others.length === 0) return undefined;
  const taken = await flows.takenIdentifiers(
    tenant,
    others.map(({ value }) => value),
  );
  return taken.length === 0 ? undefined : identifiersTaken(derived, new Set(taken));
}

/** What is wrong with identifiers, or a credential, that could not be written, since somebody has them by now. */
export async function takenOf(
  flows: FlowStore,
  tenant: Tenant,
  { derived, proved }: Pick<NewAccount, "derived" | "proved">,
): Promise<StepRejected> {
  const values = derived.identifiers.map(({ value }) => value);
  const taken = await flows.takenIdentifiers(tenant, values);
  const isCredential = taken.length === 0 && (proved.credential?.lookupKey ?? "") !== "";
  return isCredential ? credentialTaken() : identifiersTaken(derived, new Set(taken));
}
