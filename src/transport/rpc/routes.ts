import { type DescMethod, type DescService, getOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { createServiceImplSpec, type MethodImplSpec } from "@connectrpc/connect";
import {
  Listener,
  type RateClass,
  service as serviceOption,
} from "../../../gen/ostiary/option/v1/option_pb.js";
import { type AccessRule, accessRuleOf, isQuiet, openForeignServices, rateClassOf } from "./access-rule.ts";
import { closedCheckOf } from "./closed-messages.ts";
import { requestLimitOf } from "./request-limits.ts";
import type { AssertClosed } from "./unary/decode.ts";

/** A service with the object that carries it out. */
export interface ServiceBinding {
  readonly service: DescService;
  /** A `ServiceImpl<typeof service>`. */
  readonly implementation: object;
  /** Whether its server streams are carried out by a `BroadcastImpl`. Default: no. */
  readonly broadcasts?: boolean;
}

/** The name of a listener. */
export type ListenerName = "public" | "admin" | "forward-auth";

/** One method that a listener serves, with all that can be known of it before a call. */
export interface Route {
  /** `/ostiary.session.v1.SessionService/CheckSession`. */
  readonly path: string;
  /** The path without the first slash, as log, metrics and errors name it. */
  readonly name: string;
  readonly method: DescMethod;
  readonly spec: MethodImplSpec;
  readonly access: AccessRule;
  /** The class of limits that calls are counted in. */
  readonly rateClass: RateClass;
  /** The largest request that is read, of a stream the largest message. */
  readonly maxRequestBytes: number;
  /** Refuses unknown fields in closed messages of the request; undefined if it has none. */
  readonly closed: AssertClosed | undefined;
  /** Whether Connect may call it by GET. */
  readonly allowsGet: boolean;
  /** Whether its calls are logged at `debug` only. */
  readonly quiet: boolean;
  /** Whether it is a server stream whose messages go to many at once. */
  readonly isBroadcast: boolean;
}

const listenerOptions: Readonly<Record<ListenerName, Listener>> = {
  public: Listener.PUBLIC,
  admin: Listener.ADMIN,
  "forward-auth": Listener.FORWARD_AUTH,
};

/**
 * The methods of a listener by path; `largestRequestBytes` is `server.max_request_bytes`. Throws if a service does not belong to it: a service is served by the
 * listener that its `listener` option names and by no other, whatever the wiring says.
 */
export function createRoutes(
  name: ListenerName,
  bindings: readonly ServiceBinding[],
  largestRequestBytes: number,
): ReadonlyMap<string, Route> {
  const routes = new Map<string, Route>();
  for (const { service, implementation, broadcasts = false } of bindings) {
    const foreign = openForeignServices.includes(service);
    if (!foreign && getOption(service, serviceOption).listener !== listenerOptions[name]) {
      throw new Error(`${service.typeName} does not declare the ${name} listener`);
    }
    const { methods } = createServiceImplSpec(service, implementation);
    for (const method of service.methods) {
      const spec = methods[method.localName];
      if (spec !== undefined)
        routes.set(pathOf(method), createRoute(method, spec, { largestRequestBytes, broadcasts }));
    }
  }
  return routes;
}

function createRoute(
  method: DescMethod,
  spec: MethodImplSpec,
  { largestRequestBytes, broadcasts }: { readonly largestRequestBytes: number; readonly broadcasts: boolean },
): Route {
  const path = pathOf(method);
  return {
    path,
    name: path.slice(1),
    method,
    spec,
    access: accessRuleOf(method),
    rateClass: rateClassOf(method),
    maxRequestBytes: requestLimitOf(method, largestRequestBytes),
    closed: closedCheckOf(method.input),
    allowsGet: method.methodKind === "unary" && method.idempotency === Idempotency.NO_SIDE_EFFECTS,
    quiet: isQuiet(method),
    isBroadcast: broadcasts && method.methodKind === "server_streaming",
  };
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
