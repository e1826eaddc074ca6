import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { RemedySchema } from "../../gen/ostiary/error/v1/error_detail_pb.js";

/** What a refused call said, ready to compare. */
export interface Refusal {
  readonly code: string;
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fields: readonly string[];
  /** What is wrong with each field, by the name of the rule. */
  readonly violations: readonly { readonly field: string; readonly reason: string }[];
  readonly retryAfterSeconds: number | undefined;
  readonly remedy: string | undefined;
}

/** Waits for a call to be refused, and gives what it said. Throws if it is not refused. */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => ConnectError.from(thrown),
  );
  if (error === undefined) throw new Error("the call was not refused");
  const [info] = error.findDetails(ErrorInfoSchema);
  const [badRequest] = error.findDetails(BadRequestSchema);
  const [retry] = error.findDetails(RetryInfoSchema);
  const [remedy] = error.findDetails(RemedySchema);
  return {
    code: Code[error.code],
    reason: info?.domain === "ostiary" ? info.reason : undefined,
    metadata: info?.metadata ?? {},
    fields: badRequest?.fieldViolations.map((violation) => violation.field) ?? [],
    violations: badRequest?.fieldViolations.map(({ field, reason }) => ({ field, reason })) ?? [],
    retryAfterSeconds: retry === undefined ? undefined : Number(retry.retryDelay?.seconds ?? 0n),
    remedy: remedy?.description,
  };
}
