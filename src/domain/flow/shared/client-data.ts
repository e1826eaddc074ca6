import { domainError } from "../../errors.ts";
import { toFieldViolation } from "../../identity/identity-input.ts";
import { checkJsonLimits, type JsonLimits } from "../../identity/json-limits.ts";
import type { JsonObject } from "../../json.ts";

/** The limits of client data, which mail templates see: 8 KiB as JSON. */
const clientDataLimits: JsonLimits = { maxBytes: 8 * 1024, maxStringLength: 8 * 1024 };

/** Client data as a flow remembers it; undefined if none was sent. Throws REQUEST_INVALID for data beyond the limits. */
export function toClientData(data: JsonObject | undefined): JsonObject | undefined {
  if (data === undefined) return undefined;
  const violation = checkJsonLimits(data, clientDataLimits);
  if (violation === undefined) return data;
  const violations = [toFieldViolation("clientData", violation)];
  throw domainError("REQUEST_INVALID", {}, { violations });
}
