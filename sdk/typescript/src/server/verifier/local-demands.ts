// SPDX-License-Identifier: Apache-2.0
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Duration, durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { MethodKind } from "../../../../../gen/ostiary/common/v1/method_kind_pb.js";
import {
  AddressKind,
  AssuranceLevel,
  type Demand,
  type DemandSchema,
  MethodProperty,
} from "../../../../../gen/ostiary/option/v1/demand_pb.js";
import { AuthenticationPurpose } from "../../../../../gen/ostiary/session/v1/session_pb.js";
import {
  CheckSessionRequestSchema,
  type CheckSessionResponse,
} from "../../../../../gen/ostiary/session/v1/session_service_pb.js";

/** One condition that a session must meet, as it is sent. */
export type DemandInit = MessageInitShape<typeof DemandSchema>;

/** Demands that were asked before. */
export interface KnownDemands {
  /** Their encoded form: equal demands have the same. */
  readonly key: string;
  /**
   * Whether an answer shows that a session meets them at this time of the server. False: it does not, or that cannot be said here, so
   * Ostiary is asked, which then says what is missing.
   */
  areMet(answer: CheckSessionResponse, serverTimeMs: number): boolean;
}

/** Whether an answer shows that a demand is met. */
type Rule = (answer: CheckSessionResponse, serverTimeMs: number) => boolean;

const known = new WeakMap<readonly DemandInit[], KnownDemands>();
const none: KnownDemands = { key: "", areMet: () => true };

/** What there is to know of demands. A list that is used again, as that of a guard, is looked at once. */
export function knownDemands(demands: readonly DemandInit[]): KnownDemands {
  if (demands.length === 0) return none;
  let found = known.get(demands);
  if (found === undefined) {
    const request = create(CheckSessionRequestSchema, { demands: [...demands] });
    const key = toBinary(CheckSessionRequestSchema, request).join();
    const rules = request.demands.map(ruleOf);
    found = {
      key,
      areMet: (answer, serverTimeMs) => rules.every((rule) => rule?.(answer, serverTimeMs) === true),
    };
    known.set(demands, found);
  }
  return found;
}

/**
 * The rule of a demand, with the same meaning as on the server; undefined: only Ostiary knows.
 *
 * Security rule (SR-SDK-9): a demand that this package does not know, in part or whole, is never met here.
 */
function ruleOf(message: Demand): Rule | undefined {
  const { demand } = message;
  if ((message.$unknown ?? []).length > 0) return undefined;
  switch (demand.case) {
    case "assuranceLevel":
      return isLevel(demand.value)
        ? ({ session }) => isLevel(session?.assuranceLevel) && session.assuranceLevel >= demand.value
        : undefined;
    case "freshness": {
      const { within, $unknown = [] } = demand.value;
      // What is privileged is configured on the server.
      return within.case === "maxAge" && $unknown.length === 0 ? freshRule(within.value) : undefined;
    }
    case "methodProperty":
      return methodRule(demand.value);
    case "verifiedAddress": {
      const { kind, $unknown = [] } = demand.value;
      if (!(kind in AddressKind) || $unknown.length > 0) return undefined;
      return ({ identity }) =>
        identity?.addresses.some(
          (address) =>
            address.verifyTime !== undefined && (kind === AddressKind.UNSPECIFIED || address.kind === kind),
        ) === true;
    }
    // What is pending depends on time and configuration as well.
    case "noPendingActions":
    case undefined:
      return undefined;
    default:
      demand satisfies never;
      return undefined;
  }
}

function isLevel(level: AssuranceLevel | undefined): level is AssuranceLevel {
  return level === AssuranceLevel.AAL1 || level === AssuranceLevel.AAL2;
}

function freshRule(maxAge: Duration): Rule {
  const maxAgeMs = durationMs(maxAge);
  return ({ session }, serverTimeMs) =>
    session?.authenticateTime !== undefined &&
    serverTimeMs - timestampMs(session.authenticateTime) <= maxAgeMs;
}

/** Only signing in with a passkey shows a property. */
function methodRule(property: MethodProperty): Rule | undefined {
  const isKnown = property === MethodProperty.PHISHING_RESISTANT || property === MethodProperty.USER_VERIFIED;
  if (!isKnown) return undefined;
  return ({ session }) =>
    session?.authenticationMethods.some(
      ({ kind, purpose, userVerified }) =>
        kind === MethodKind.PASSKEY &&
        purpose === AuthenticationPurpose.SIGN_IN &&
        (property === MethodProperty.PHISHING_RESISTANT || userVerified),
    ) === true;
}
