import type { HandlerContext } from "@connectrpc/connect";
import { domainError } from "../../../domain/errors.ts";

/**
 * Throws FEATURE_OFF if a request sets one of these fields, which the contract has and the server does not serve yet. The
 * metadata has the JSON name of the field.
 */
export function refuseUnserved<Request extends object>(
  request: Request,
  ...fields: readonly (keyof Request & string)[]
): void {
  for (const field of fields) if (request[field] !== undefined) throw domainError("FEATURE_OFF", { field });
}

/** The error of a method that the contract has and the server does not serve yet. */
export function unservedMethod({ method }: HandlerContext): Error {
  return domainError("FEATURE_OFF", { field: `${method.parent.typeName}/${method.name}` });
}
