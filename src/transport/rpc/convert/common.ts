import type { MessageInitShape, JsonObject as ProtoJsonObject } from "@bufbuild/protobuf";
import {
  type Duration,
  durationMs,
  type Timestamp,
  type TimestampSchema,
  timestampDate,
} from "@bufbuild/protobuf/wkt";
import { AddressKind as ProtoAddressKind } from "../../../../gen/ostiary/option/v1/demand_pb.js";
import { domainError } from "../../../domain/errors.ts";
import type { Expiration } from "../../../domain/expiration.ts";
import type { AddressKind } from "../../../domain/identity/identity.ts";
import { type Never, never } from "../../../domain/instant.ts";
import type { JsonObject } from "../../../domain/json.ts";

/** Kinds of addresses, as the contract names them. */
export const addressKinds: Record<AddressKind, ProtoAddressKind> = {
  email: ProtoAddressKind.EMAIL,
  phone: ProtoAddressKind.PHONE,
};

/** A Date as a Timestamp; undefined, and an end that never comes, stay unset. */
export function toTimestamp(date: Date): MessageInitShape<typeof TimestampSchema>;
export function toTimestamp(
  date: Date | Never | undefined,
): MessageInitShape<typeof TimestampSchema> | undefined;
export function toTimestamp(
  date: Date | Never | undefined,
): MessageInitShape<typeof TimestampSchema> | undefined {
  if (date === undefined || date === never) return undefined;
  const milliseconds = date.getTime();
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: BigInt(seconds), nanos: (milliseconds - seconds * 1000) * 1_000_000 };
}

/** The oneof `expiration` of a request; unset stays undefined. */
export function fromExpiration(
  expiration:
    | { readonly case: "expireTime"; readonly value: Timestamp }
    | { readonly case: "lifetime"; readonly value: Duration }
    | { readonly case: undefined },
): Expiration | undefined {
  switch (expiration.case) {
    case "expireTime":
      return { kind: "time", time: timestampDate(expiration.value) };
    case "lifetime":
      return { kind: "lifetime", milliseconds: durationMs(expiration.value) };
    case undefined:
      return undefined;
    default: {
      const unreachable: never = expiration;
      return unreachable;
    }
  }
}

/** A Timestamp as a Date; unset stays undefined. */
export function fromTimestamp(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp === undefined ? undefined : timestampDate(timestamp);
}

/** A Struct, which the generated code shows as a plain object, as the domain's own JSON type. */
export function fromStruct(struct: ProtoJsonObject): JsonObject;
export function fromStruct(struct: ProtoJsonObject | undefined): JsonObject | undefined;
export function fromStruct(struct: ProtoJsonObject | undefined): JsonObject | undefined {
  return struct as JsonObject | undefined;
}

/** The domain's JSON as a Struct; an empty object stays unset. */
export function toStruct(object: JsonObject): ProtoJsonObject | undefined {
  return Object.keys(object).length === 0 ? undefined : object;
}

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
