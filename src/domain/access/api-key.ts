import type { ApiKeyId } from "../ids.ts";

/** An API key without its secret. */
export interface ApiKey {
  readonly id: ApiKeyId;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date | undefined;
  readonly lastUsedAt: Date | undefined;
  readonly revokedAt: Date | undefined;
  readonly bootstrap: boolean;
}

/** An API key to store, with the digest of its secret. */
export interface NewApiKey extends ApiKey {
  readonly tokenDigest: Uint8Array;
}
