import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { ThrottleCounterSchema } from "../../../../gen/ostiary/access/v1/throttle_pb.js";
import type {
  ThrottleService as Contract,
  ExplainThrottleRequest,
  ResetThrottleRequest,
} from "../../../../gen/ostiary/access/v1/throttle_service_pb.js";
import type { ThrottleAdmin, ThrottleCounter } from "../../../domain/throttle/throttle-admin.ts";
import { callOf } from "../call.ts";
import { toTimestamp } from "../convert/common.ts";

interface Deps {
  readonly throttle: ThrottleAdmin;
}

/** ostiary.access.v1.ThrottleService. */
export class ThrottleService implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async explainThrottle({ identifier, ipAddress }: ExplainThrottleRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    const { counters, loginAvailableAt } = await this.#deps.throttle.explain(tenant, {
      identifier,
      ipAddress,
    });
    return {
      counters: counters.map(toCounter),
      loginAllowed: loginAvailableAt === undefined,
      retryTime: toTimestamp(loginAvailableAt),
    };
  }

  async resetThrottle({ identifier, ipAddress }: ResetThrottleRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    return { resetCount: await this.#deps.throttle.reset(tenant, origin, { identifier, ipAddress }) };
  }
}

function toCounter(counter: ThrottleCounter): MessageInitShape<typeof ThrottleCounterSchema> {
  return {
    limit: counter.name,
    scope: counter.scope,
    maxCount: counter.limit.count,
    period: durationFromMs(counter.limit.periodMs),
    usedCount: counter.used,
    exhausted: counter.availableAt !== undefined,
    availableTime: toTimestamp(counter.availableAt),
    resetTime: toTimestamp(counter.emptyAt),
  };
}
