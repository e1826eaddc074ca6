import { type DescMessage, type DescMethod, getOption } from "@bufbuild/protobuf";
import { Listener, RateClass, service } from "../../../gen/ostiary/option/v1/option_pb.js";
import { rateClassOf } from "./access-rule.ts";

/** A token, a code, an address to return to: all that most calls of strangers hold. */
const smallBytes = 16 * 1024;
/** What the traits may have besides (domain/identity/json-limits.ts). */
const traitsBytes = 64 * 1024;
/** A message of a stream that is open to everyone: health and reflection. */
const openStreamBytes = 64 * 1024;

/** Whether calls of a class may be as large as `server.max_request_bytes`: those of the admin API, which know their caller. */
const takesLargest: Readonly<Record<RateClass, boolean>> = {
  [RateClass.UNSPECIFIED]: true,
  [RateClass.CHECK]: false,
  [RateClass.FLOW_CREATE]: false,
  [RateClass.FLOW_SUBMIT]: false,
  [RateClass.SELF_SERVICE]: false,
  [RateClass.ADMIN_READ]: true,
  [RateClass.ADMIN_WRITE]: true,
};

/**
 * The largest request of a method in bytes, as the contract declares the method; never more than `largestBytes`, which is
 * `server.max_request_bytes`.
 *
 * Security rule (SR-INPUT-1): reading a message takes time of the one thread that serves all calls, so what strangers may send is no
 * larger than what an honest call needs.
 */
export function requestLimitOf(method: DescMethod, largestBytes: number): number {
  // A proxy, which the listener believes, sends all headers of its client: Envoy takes 60 KiB of them.
  const isOfProxies = getOption(method.parent, service).listener === Listener.FORWARD_AUTH;
  if (isOfProxies || takesLargest[rateClassOf(method)]) return largestBytes;
  if (method.methodKind !== "unary") return Math.min(openStreamBytes, largestBytes);
  return Math.min(holdsJson(method.input) ? smallBytes + traitsBytes : smallBytes, largestBytes);
}

function holdsJson(message: DescMessage, seen: Set<DescMessage> = new Set()): boolean {
  if (message.typeName === "google.protobuf.Struct") return true;
  if (seen.has(message)) return false;
  seen.add(message);
  return message.fields.some((field) => field.message !== undefined && holdsJson(field.message, seen));
}
