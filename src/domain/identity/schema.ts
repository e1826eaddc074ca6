import type { JsonObject } from "../json.ts";

/** One version of a schema as it is stored. */
export interface StoredSchema {
  readonly id: string;
  /** From 1. */
  readonly version: number;
  readonly createdAt: Date;
  readonly document: JsonObject;
}
