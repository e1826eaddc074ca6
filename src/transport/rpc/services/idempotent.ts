import { createHash } from "node:crypto";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { IdempotencyRunner } from "../../../domain/idempotency/idempotency.ts";
import { canonicalJson } from "../../../domain/json.ts";
import type { TenantScope } from "../../../domain/ports.ts";
import { namesOf } from "../access.ts";
import type { Call } from "../call.ts";

/** What makes a call the same call: who makes it, which method, and its request id. */
interface IdempotentCall<Response extends DescMessage> {
  readonly method: string;
  /** What a repetition must equal. */
  readonly request: { readonly requestId: string };
  readonly response: Response;
}

/**
 * Carries out a call with a request id once: a repetition gets the answer of the first time, another request with
 * the same id is refused (REQUEST_ID_REUSED). The work gets the scope to write in; with a request id that is the
 * transaction in which its answer is kept.
 */
export function runOnce<Response extends DescMessage>(
  runner: IdempotencyRunner,
  call: Call,
  once: IdempotentCall<Response>,
  work: (scope: TenantScope) => Promise<MessageInitShape<Response>>,
): Promise<MessageShape<Response>> {
  return runner.run(
    call.scope,
    {
      caller: namesOf(call.caller).key,
      method: once.method,
      requestId: once.request.requestId,
      bodyDigest: digestOf(once.request),
    },
    {
      encode: (message) => toBinary(once.response, message),
      decode: (bytes) => fromBinary(once.response, bytes),
    },
    async (scope) => create(once.response, await work(scope)),
  );
}

/**
 * The same for the same request, in whatever order its maps came: Protobuf leaves that open, and some clients write
 * the same traits in another order when they try again.
 */
function digestOf(request: object): Uint8Array {
  return createHash("sha256").update(bodyOf(request)).digest();
}

/** A request as a text, the same for the same request. It has the secrets of the request, so use it only to make a digest. */
export function bodyOf(request: object): string {
  const plain = JSON.stringify(request, (_key, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
  return canonicalJson(JSON.parse(plain));
}
