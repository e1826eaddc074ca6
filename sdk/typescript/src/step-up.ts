// SPDX-License-Identifier: Apache-2.0
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Flow } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginPurpose } from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import {
  AssuranceLevel,
  type DemandSchema,
  FreshnessClass,
  MethodProperty,
} from "../../../gen/ostiary/option/v1/demand_pb.js";
import type { Ostiary } from "./client.ts";
import { metadataOf, reasonOf } from "./errors.ts";
import { type FlowStart, flowOf } from "./flows.ts";

type DemandInit = MessageInitShape<typeof DemandSchema>;

/** What a guard answered as JSON (`RefusalBody`), or `SessionRefusedError` in the same process. */
interface Refused {
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Begins the login that shows what a session lacks, and nothing else: of the holder of the session that `ostiary` calls with. Draw
 * the flow like any other; the session that comes of it replaces the former one.
 *
 * `refusal`: the error of a call of Ostiary or of a Connect service behind a guard, the `SessionRefusedError` of a guard, or the
 * parsed JSON body that a guard answered with. Undefined: it is another refusal, which no login lifts. Rejects with
 * STEP_UP_IMPOSSIBLE if the account cannot show it, for example because no second factor is set up.
 */
export async function stepUp(
  ostiary: Pick<Ostiary, "login">,
  refusal: unknown,
  { client, returnTo = "" }: Pick<FlowStart, "client" | "returnTo">,
): Promise<Flow | undefined> {
  const demand = demandOf(refusal);
  if (demand === undefined) return undefined;
  const purpose = LoginPurpose.STEP_UP;
  return flowOf(await ostiary.login.createLoginFlow({ client, returnTo, purpose, demands: [demand] }));
}

/** What a refusal says is missing, as a demand. */
function demandOf(refusal: unknown): DemandInit | undefined {
  const { reason, metadata } = refusedBy(refusal);
  switch (reason) {
    case "SESSION_ASSURANCE_TOO_LOW": {
      const value = metadata.required === "aal2" ? AssuranceLevel.AAL2 : AssuranceLevel.AAL1;
      return { demand: { case: "assuranceLevel", value } };
    }
    case "SESSION_AUTHENTICATION_TOO_OLD": {
      const seconds = Math.floor(Number(metadata.maxAgeSeconds));
      const within =
        seconds > 0 ? ({ case: "maxAge", value: { seconds: BigInt(seconds) } } as const) : privileged;
      return { demand: { case: "freshness", value: { within } } };
    }
    case "SESSION_METHOD_INSUFFICIENT": {
      const value =
        metadata.property === "user_verified"
          ? MethodProperty.USER_VERIFIED
          : MethodProperty.PHISHING_RESISTANT;
      return { demand: { case: "methodProperty", value } };
    }
    default:
      return undefined;
  }
}

const privileged = { case: "freshnessClass", value: FreshnessClass.PRIVILEGED } as const;

function refusedBy(refusal: unknown): Refused {
  const { reason, metadata = {} } = (refusal ?? {}) as Partial<Refused>;
  if (typeof reason === "string") return { reason, metadata };
  return { reason: reasonOf(refusal) ?? "", metadata: metadataOf(refusal) };
}
