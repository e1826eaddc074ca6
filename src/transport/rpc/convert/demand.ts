import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  AddressKind as ProtoAddressKind,
  AssuranceLevel as ProtoAssuranceLevel,
  type Demand as ProtoDemand,
  type Freshness as ProtoFreshness,
  FreshnessClass as ProtoFreshnessClass,
  MethodProperty as ProtoMethodProperty,
  type VerifiedAddress as ProtoVerifiedAddress,
} from "../../../../gen/ostiary/option/v1/demand_pb.js";
import type { Demand } from "../../../domain/session/demands.ts";

/** The demands of a request. Throws for an unknown demand, which validation should have refused. */
export function fromDemands(demands: readonly ProtoDemand[]): readonly Demand[] {
  return demands.map((demand) => {
    const known = fromDemand(demand);
    if (known === undefined) throw new Error("validation lets no unknown demand through");
    return known;
  });
}

/** A demand; undefined if it is empty, or newer than this server. Security rule (SR-SESSION-4): such a demand is never met. */
export function fromDemand({ demand }: ProtoDemand): Demand | undefined {
  switch (demand.case) {
    case "assuranceLevel":
      return assuranceDemand(demand.value);
    case "freshness":
      return freshnessDemand(demand.value);
    case "methodProperty":
      return propertyDemand(demand.value);
    case "verifiedAddress":
      return addressDemand(demand.value);
    case "noPendingActions":
      return { kind: "no_pending_actions" };
    case undefined:
      return undefined;
    default: {
      const unreachable: never = demand;
      return unreachable;
    }
  }
}

function assuranceDemand(level: ProtoAssuranceLevel): Demand | undefined {
  switch (level) {
    case ProtoAssuranceLevel.AAL1:
      return { kind: "assurance_level", level: "aal1" };
    case ProtoAssuranceLevel.AAL2:
      return { kind: "assurance_level", level: "aal2" };
    default:
      return undefined;
  }
}

function freshnessDemand({ within }: ProtoFreshness): Demand | undefined {
  switch (within.case) {
    case "maxAge":
      return { kind: "freshness", maxAgeMs: durationMs(within.value) };
    case "freshnessClass":
      return within.value === ProtoFreshnessClass.PRIVILEGED
        ? { kind: "freshness", maxAgeMs: "privileged" }
        : undefined;
    case undefined:
      return undefined;
    default: {
      const unreachable: never = within;
      return unreachable;
    }
  }
}

function propertyDemand(property: ProtoMethodProperty): Demand | undefined {
  switch (property) {
    case ProtoMethodProperty.PHISHING_RESISTANT:
      return { kind: "method_property", property: "phishing_resistant" };
    case ProtoMethodProperty.USER_VERIFIED:
      return { kind: "method_property", property: "user_verified" };
    default:
      return undefined;
  }
}

function addressDemand({ kind }: ProtoVerifiedAddress): Demand | undefined {
  switch (kind) {
    case ProtoAddressKind.UNSPECIFIED:
      return { kind: "verified_address", addressKind: undefined };
    case ProtoAddressKind.EMAIL:
      return { kind: "verified_address", addressKind: "email" };
    case ProtoAddressKind.PHONE:
      return { kind: "verified_address", addressKind: "phone" };
    default:
      return undefined;
  }
}
