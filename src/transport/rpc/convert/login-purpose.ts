import { LoginPurpose as ProtoLoginPurpose } from "../../../../gen/ostiary/flow/v1/login_service_pb.js";
import {
  type Demand,
  AddressKind as ProtoAddressKind,
  AssuranceLevel as ProtoAssuranceLevel,
} from "../../../../gen/ostiary/option/v1/demand_pb.js";
import type { LoginDemand } from "../../../domain/flow/login-demands.ts";
import type { LoginPurpose } from "../../../domain/flow/login-flows.ts";

/** What a login is for; signing in where nothing is stated. */
export function fromPurpose(purpose: ProtoLoginPurpose): LoginPurpose {
  if (purpose === ProtoLoginPurpose.REFRESH) return "refresh";
  return purpose === ProtoLoginPurpose.STEP_UP ? "step_up" : "sign_in";
}

/** A demand of a request that passed validation, which refuses one that is not set. */
export function toLoginDemand({ demand }: Demand): LoginDemand {
  switch (demand.case) {
    case "assuranceLevel":
      return { kind: "assurance", level: demand.value === ProtoAssuranceLevel.AAL2 ? "aal2" : "aal1" };
    case "freshness":
      return { kind: "freshness" };
    case "methodProperty":
      return { kind: "method_property" };
    case "verifiedAddress":
      return { kind: "verified_address", address: addressKinds[demand.value.kind] };
    case "noPendingActions":
      return { kind: "no_pending_actions" };
    case undefined:
      throw new Error("validation lets no demand through that is not set");
    default: {
      const unreachable: never = demand;
      return unreachable;
    }
  }
}

const addressKinds = {
  [ProtoAddressKind.UNSPECIFIED]: undefined,
  [ProtoAddressKind.EMAIL]: "email",
  [ProtoAddressKind.PHONE]: "phone",
} as const;
