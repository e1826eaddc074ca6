import type { ApiKeyId } from "../ids.ts";
import type { Instant, Never } from "../instant.ts";

/** Maker of a key. */
export type ApiKeyMaker =
  | { readonly kind: "api_key"; readonly apiKeyId: ApiKeyId }
  | { readonly kind: "certificate"; readonly name: string };

/** An API key without its secret. */
export interface ApiKey {
  readonly id: ApiKeyId;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Instant | Never;
  readonly lastUsedAt: Date | undefined;
  readonly revokedAt: Instant | Never;
  readonly bootstrap: boolean;
  /** Undefined: the server, at its first start. */
  readonly maker: ApiKeyMaker | undefined;
}

/** An API key to store, with the digest of its secret. */
export interface NewApiKey extends ApiKey {
  readonly tokenDigest: Uint8Array;
}
