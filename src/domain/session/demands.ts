import { type DomainError, domainError } from "../errors.ts";
import type { AddressKind, Identity } from "../identity/identity.ts";
import { pendingActions } from "../identity/required-actions.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type {
  AssuranceLevel,
  AuthenticatedSession,
  AuthenticationMethod,
  MethodProperty,
} from "./session.ts";

/** One condition that a session must meet: of the caller's request, or of the method that is called. */
export type Demand =
  | { readonly kind: "assurance_level"; readonly level: AssuranceLevel }
  /** The longest time since the holder last proved who they are; `privileged`: as for changes of secrets and addresses. */
  | { readonly kind: "freshness"; readonly maxAgeMs: number | "privileged" }
  | { readonly kind: "method_property"; readonly property: MethodProperty }
  /** A verified address. Undefined: of any kind. */
  | { readonly kind: "verified_address"; readonly addressKind: AddressKind | undefined }
  | { readonly kind: "no_pending_actions" };

/** The properties of a proof. Only an assertion shows any: nobody vouches for the flags of a passkey that was just made. */
export function propertiesOf({
  kind,
  purpose,
  userVerified,
}: Pick<AuthenticationMethod, "kind" | "purpose" | "userVerified">): readonly MethodProperty[] {
  if (kind !== "passkey" || purpose !== "sign_in") return [];
  return userVerified ? ["phishing_resistant", "user_verified"] : ["phishing_resistant"];
}

const levels: Readonly<Record<AssuranceLevel, number>> = { aal1: 1, aal2: 2 };

/** Throws the SESSION_ reason of the first demand that a session does not meet. */
export function assertMeets(
  shown: AuthenticatedSession,
  demands: readonly Demand[],
  at: { readonly tenant: Tenant; readonly now: Date },
): void {
  const refusal = firstUnmet(shown, demands, at);
  if (refusal !== undefined) throw refusal;
}

/** The SESSION_ reason of the first demand that a session does not meet; undefined if it meets all. */
export function firstUnmet(
  shown: AuthenticatedSession,
  demands: readonly Demand[],
  at: { readonly tenant: Tenant; readonly now: Date },
): DomainError | undefined {
  for (const demand of demands) {
    const refusal = refusalOf(shown, demand, at);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function refusalOf(
  { session, identity }: AuthenticatedSession,
  demand: Demand,
  { tenant, now }: { readonly tenant: Tenant; readonly now: Date },
): DomainError | undefined {
  switch (demand.kind) {
    case "assurance_level": {
      const { assuranceLevel: actual } = session;
      return levels[actual] >= levels[demand.level]
        ? undefined
        : domainError("SESSION_ASSURANCE_TOO_LOW", { required: demand.level, actual });
    }
    case "freshness": {
      const maxAgeMs = maxAgeOf(demand, tenant);
      return now.getTime() - session.authenticatedAt.getTime() <= maxAgeMs
        ? undefined
        : domainError("SESSION_AUTHENTICATION_TOO_OLD", { maxAgeSeconds: String(maxAgeMs / 1000) });
    }
    case "method_property": {
      const { property } = demand;
      return session.authenticationMethods.some((proof) => propertiesOf(proof).includes(property))
        ? undefined
        : domainError("SESSION_METHOD_INSUFFICIENT", { property });
    }
    case "verified_address": {
      const { addressKind } = demand;
      return hasVerifiedAddress(identity, addressKind)
        ? undefined
        : domainError("SESSION_ADDRESS_UNVERIFIED", { kind: addressKind ?? "any" });
    }
    case "no_pending_actions":
      return pendingActions(identity, tenant.settings, now).length === 0
        ? undefined
        : domainError("SESSION_ACTIONS_PENDING", {});
    default:
      return demand satisfies never;
  }
}

/** When a session that is not used or changed ceases to meet the demands; undefined if no demand has an end. */
export function metUntil(
  { session }: AuthenticatedSession,
  demands: readonly Demand[],
  tenant: Tenant,
): Date | undefined {
  const ages = demands.flatMap((demand) => (demand.kind === "freshness" ? [maxAgeOf(demand, tenant)] : []));
  return ages.length === 0 ? undefined : new Date(session.authenticatedAt.getTime() + Math.min(...ages));
}

function maxAgeOf({ maxAgeMs }: Extract<Demand, { kind: "freshness" }>, { settings }: Tenant): number {
  return maxAgeMs === "privileged" ? settings.settings.privilegedMs : maxAgeMs;
}

/** Whether an identity has a verified address, of the given kind if there is one. */
export function hasVerifiedAddress(
  { verifiableAddresses }: Identity,
  wanted: AddressKind | undefined,
): boolean {
  return verifiableAddresses.some(
    ({ kind, verifiedAt }) => verifiedAt !== undefined && (wanted === undefined || kind === wanted),
  );
}
