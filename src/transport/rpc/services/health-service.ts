import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  type Health as Contract,
  type HealthCheckRequest,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../../gen/grpc/health/v1/health_pb.js";
import type { Readiness } from "../../net/readiness.ts";

/**
 * grpc.health.v1.Health of one listener. All services of a listener are ready together, so each known name, and the
 * empty one for the server as a whole, has the same status.
 */
export class HealthService implements ServiceImpl<typeof Contract> {
  readonly #readiness: Readiness;
  readonly #services: ReadonlySet<string>;

  /** `services` are the full names of what the listener serves. */
  constructor({ readiness, services }: { readiness: Readiness; services: readonly string[] }) {
    this.#readiness = readiness;
    this.#services = new Set(["", ...services]);
  }

  check(request: HealthCheckRequest) {
    if (!this.#services.has(request.service)) {
      throw new ConnectError("This listener has no such service.", Code.NotFound);
    }
    return { status: this.#status() };
  }

  list() {
    const status = this.#status();
    return { statuses: Object.fromEntries(Array.from(this.#services, (name) => [name, { status }])) };
  }

  /** Says the status at once and at each change, until the caller goes away. */
  async *watch(request: HealthCheckRequest, context: HandlerContext) {
    // As the protocol asks: an unknown service is not an error here, it might become known.
    if (!this.#services.has(request.service)) {
      yield { status: Status.SERVICE_UNKNOWN };
      await aborted(context.signal);
      return;
    }
    let wake: () => void = () => {};
    const stopListening = this.#readiness.onChange(() => wake());
    context.signal.addEventListener("abort", () => wake(), { once: true });
    try {
      let said: Status | undefined;
      while (!context.signal.aborted) {
        // Made before the status is read, so that no change between the two is missed.
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const status = this.#status();
        if (status !== said) {
          said = status;
          yield { status };
        } else {
          await changed;
        }
      }
    } finally {
      stopListening();
    }
  }

  #status(): Status {
    return this.#readiness.ready ? Status.SERVING : Status.NOT_SERVING;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
