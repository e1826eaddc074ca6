import type { Node } from "../../form/form.ts";
import { type OwnAddress, ownAddresses } from "../../identity/addresses.ts";
import { changeableNow } from "../../identity/merge-patch.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/account-messages.ts";
import type { UserMessage } from "../../user-message/user-messages.ts";
import type { ContextOf } from "../shared/table.ts";
import type { ProfileSettings } from "./profile.ts";
import type { SettingsState, SettingsTypes } from "./state.ts";

/**
 * The addresses of an account in its settings: those that it has, then those of a change that waits for its owner. One drawing asks for them
 * several times, and the check of a change that waits is worth doing once.
 */
export function addressesIn(
  profile: Pick<ProfileSettings, "plan">,
  context: ContextOf<SettingsTypes>,
): readonly OwnAddress[] {
  const { account, state } = context;
  if (account === undefined) return [];
  const known = drawn.get(account);
  if (known?.state === state) return known.addresses;
  const addresses = findAddresses(profile, context, account);
  drawn.set(account, { state, addresses });
  return addresses;
}

/** By the account as it was read for a drawing. */
const drawn = new WeakMap<
  object,
  { readonly state: SettingsState; readonly addresses: readonly OwnAddress[] }
>();

function findAddresses(
  profile: Pick<ProfileSettings, "plan">,
  { tenant, state }: ContextOf<SettingsTypes>,
  account: NonNullable<ContextOf<SettingsTypes>["account"]>,
): readonly OwnAddress[] {
  const { identity } = account;
  const interrupted = "interrupted" in state ? state.interrupted : undefined;
  const unproved = "unproved" in state ? state.unproved : undefined;
  const waiting = unproved ?? (interrupted?.kind === "profile" ? interrupted.change : undefined);
  const patch = waiting && changeableNow(waiting, identity.traits);
  const plan = patch && profile.plan(tenant, identity, patch).plan;
  const added = plan?.kind === "planned" ? plan.added : [];
  const pending = added.map(
    ({ kind, value }): OwnAddress => ({
      ...{ kind, value, path: "", verifiedAt: undefined },
      ...{ verifiable: true, recovers: false, primary: false, pending: true },
    }),
  );
  return [...ownAddresses(identity), ...pending];
}

/** The nodes of the addresses: each with its state, and a link to verify it. */
export function addressNodes({ settings }: Tenant, addresses: readonly OwnAddress[]): readonly Node[] {
  const { verification: url } = settings.uiUrls;
  return addresses.flatMap((address, index): readonly Node[] => {
    const { value, verifiedAt, verifiable, pending } = address;
    const text: Node = {
      name: `addresses.${index}`,
      label: texts.addressName(value),
      messages: [],
      element: { kind: "text", text: stateOf(address) },
    };
    const canVerify = verifiable && verifiedAt === undefined && !pending && settings.verification.enabled;
    if (!canVerify || url === undefined) return [text];
    const label = texts.verifyAddressLink(value);
    return [
      text,
      { name: `addresses.${index}.verify`, label, messages: [], element: { kind: "anchor", url } },
    ];
  });
}

function stateOf({ pending, primary, verifiedAt }: OwnAddress): UserMessage {
  if (pending) return texts.addressPending();
  if (primary) return texts.addressPrimary();
  return verifiedAt === undefined ? texts.addressUnverified() : texts.addressVerified();
}
