import type { JsonObject } from "../json.ts";

/** The kind of a signature, as the header `alg` names it: ECDSA on P-256 with SHA-256, or Ed25519. */
export type SigningAlgorithm = "ES256" | "EdDSA";

/** A key that signs, and what is published of it. */
export interface KeyPair {
  /** The SHA-256 thumbprint of the public key (RFC 7638), so that no two keys have the same. */
  readonly keyId: string;
  readonly algorithm: SigningAlgorithm;
  /** The public key as a JWK (RFC 7517), with `kid`, `alg` and `use`. */
  readonly publicJwk: JsonObject;
  /** The private key as PKCS #8, DER. For the sealer alone. */
  privateKey(): Uint8Array;
  /** The compact form of a JWS (RFC 7515, section 7.1) with this header, which gets `alg` and `kid`, and this payload. */
  sign(header: { readonly typ: string }, payload: string): string;
}

/** Makes and reads keys that sign. Implemented in src/crypto. */
export interface KeyPairs {
  make(algorithm: SigningAlgorithm): KeyPair;
  /** The pair of a private key; undefined if the bytes are none of one of the algorithms. */
  read(privateKey: Uint8Array): KeyPair | undefined;
}
