import { domainError } from "../../errors.ts";
import type { Identity } from "../../identity/identity.ts";
import type { LoginMethod } from "../../method/method.ts";
import { type Demand, hasVerifiedAddress } from "../../session/demands.ts";
import type { AssuranceLevel } from "../../session/session.ts";

/**
 * The assurance level that a login must reach to meet the demands. Throws STEP_UP_IMPOSSIBLE for a demand that no login here
 * can meet, so that nobody is led through a login in vain, and FEATURE_OFF for a demand that is not served yet.
 */
export function assuranceToReach(
  demands: readonly Demand[],
  identity: Identity,
  methods: readonly Pick<LoginMethod, "factor">[],
): AssuranceLevel | undefined {
  let level: AssuranceLevel | undefined;
  for (const [index, demand] of demands.entries()) {
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
      case "method_property":
        throw domainError("STEP_UP_IMPOSSIBLE", { demand: "methodProperty" });
      case "no_pending_actions":
        throw domainError("FEATURE_OFF", { field: `demands.${index}.noPendingActions` });
      default: {
        const unreachable: never = demand;
        return unreachable;
      }
    }
  }
  return level;
}
