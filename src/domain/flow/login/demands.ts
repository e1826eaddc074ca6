import { domainError } from "../../errors.ts";
import type { Credential, Identity } from "../../identity/identity.ts";
import type { MethodKind } from "../../kinds.ts";
import {
  enabledMethods,
  isWayIn,
  type LoginMethod,
  methodsPlaying,
  possibleProofs,
} from "../../method/method.ts";
import { type Demand, hasVerifiedAddress } from "../../session/demands.ts";
import type { AssuranceLevel, MethodProperty } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { LoginPurpose } from "./state.ts";

/**
 * What a login must show to meet the demands. Throws STEP_UP_IMPOSSIBLE for a demand that no login of this account can meet, so
 * that nobody is led through a login in vain, and FEATURE_OFF for a demand that is not served yet. `credentials`: those of the
 * account. `canShow`: whether a login can show one of them by a method.
 */
export function toShow<Method extends Pick<LoginMethod, "factor" | "credential" | "properties">>(
  demands: readonly Demand[],
  identity: Identity,
  methods: readonly Method[],
  credentials: readonly Credential[],
  canShow: (method: Method, credential: Credential) => boolean,
): Pick<Extract<LoginPurpose, { kind: "refresh" }>, "stepsUpTo" | "demanded" | "doesActions"> {
  let level: AssuranceLevel | undefined;
  let doesActions = false;
  const demanded = new Set<MethodProperty>();
  for (const demand of demands) {
    switch (demand.kind) {
      // Every login is fresh.
      case "freshness":
        break;
      case "assurance_level":
        if (demand.level === "aal2" && methods.every(({ factor }) => factor === "first")) {
          throw domainError("STEP_UP_IMPOSSIBLE", { demand: "assuranceLevel" });
        }
        if (level !== "aal2") level = demand.level;
        break;
      case "verified_address":
        // A login verifies no address.
        if (!hasVerifiedAddress(identity, demand.addressKind)) {
          throw domainError("STEP_UP_IMPOSSIBLE", { demand: "verifiedAddress" });
        }
        break;
      case "method_property": {
        const able = methods.filter(({ properties }) => properties?.includes(demand.property));
        const isThere = credentials.some((credential) => able.some((method) => canShow(method, credential)));
        if (!isThere) throw domainError("STEP_UP_IMPOSSIBLE", { demand: "methodProperty" });
        demanded.add(demand.property);
        break;
      }
      case "no_pending_actions":
        doesActions = true;
        break;
      default: {
        const unreachable: never = demand;
        return unreachable;
      }
    }
  }
  return {
    ...(level && { stepsUpTo: level }),
    ...(demanded.size > 0 && { demanded: [...demanded] }),
    ...(doesActions && { doesActions }),
  };
}

/**
 * What a login must show to meet the demands, and the methods that it can come to. `second`: those that it may ask for second. Throws
 * as `toShow`.
 */
export function reach(
  tenant: Tenant,
  methods: readonly LoginMethod[],
  { identity, credentials }: { readonly identity: Identity; readonly credentials: readonly Credential[] },
  asked: readonly Demand[],
  second: readonly MethodKind[],
) {
  const reachable = reachableMethods(enabledMethods(methods, tenant), credentials, second);
  const plays = (part: "first" | "second") => methodsPlaying(part, reachable, tenant);
  const has = new Set<string | undefined>(credentials.map(({ kind }) => kind));
  const demands = [...asked];
  // Nothing of the account comes second: one proof has to be worth two. By a provider it may be, if that says so.
  const isTwo = plays("first").some(
    (method) =>
      method.isVouchedFor === true &&
      possibleProofs(method, tenant, { factor: "first", demanded: [], credentials }).some(
        ({ assuranceLevel }) => assuranceLevel === "aal2",
      ),
  );
  if (demands.some(isForAal2) && !isTwo && !plays("second").some(({ credential }) => has.has(credential))) {
    demands.push({ kind: "method_property", property: "user_verified" });
  }
  const stepsUp = isTwo && demands.some(isForAal2);
  const others = stepsUp ? demands.filter((demand) => !isForAal2(demand)) : demands;
  const shown = toShow(others, identity, reachable, credentials, (method, credential) =>
    plays("first").includes(method)
      ? isWayIn(method, credential, tenant)
      : method.credential === credential.kind,
  );
  const wanted = stepsUp ? ({ ...shown, stepsUpTo: "aal2" } as const) : shown;
  return { reachable, wanted };
}

function isForAal2(demand: Demand): boolean {
  return demand.kind === "assurance_level" && demand.level === "aal2";
}

/** The methods that a login of an account with these credentials can come to. */
function reachableMethods<Method extends Pick<LoginMethod, "kind" | "factor" | "credential">>(
  methods: readonly Method[],
  credentials: readonly Credential[],
  second: readonly MethodKind[],
): readonly Method[] {
  const has = new Set<string | undefined>(credentials.map(({ kind }) => kind));
  return methods.filter(({ kind, factor, credential }) =>
    factor === "second" ? second.includes(kind) : factor === "first" || has.has(credential),
  );
}
