import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import type { JsonObject, JsonValue } from "../../src/domain/json.ts";

/** The algorithms of passkeys, by their COSE numbers. */
export const algorithms = { EdDSA: -8, ES256: -7, RS256: -257 } as const;

/** What an authenticator can be made to do, right or wrong. */
export interface AuthenticatorOptions {
  readonly algorithm?: keyof typeof algorithms;
  readonly origin?: string | undefined;
  /** Default: as the options say. */
  readonly rpId?: string;
  readonly userPresent?: boolean;
  readonly userVerified?: boolean;
  readonly backupEligible?: boolean;
  readonly backedUp?: boolean;
  /** Whether it keeps what says whose a passkey is. */
  readonly discoverable?: boolean;
  /** Whether it counts; otherwise the counter is 0. */
  readonly counts?: boolean;
  /** Members of the client data that are not as they should be. */
  readonly clientData?: JsonObject;
  /** Names the algorithm of the key wrongly. */
  readonly claimedAlgorithm?: number;
  readonly attestation?: { readonly format: string; readonly statement: Cbor };
}

/** A passkey on the authenticator. */
interface OwnPasskey {
  readonly id: Buffer;
  readonly rpId: string;
  readonly userHandle: string;
  readonly algorithm: keyof typeof algorithms;
  readonly key: KeyObject;
  counter: number;
}

/** An authenticator in a browser (WebAuthn level 3, sections 6 and 7), with as many passkeys as it is asked to make. */
export class SoftwareAuthenticator {
  readonly passkeys: OwnPasskey[] = [];
  options: AuthenticatorOptions;
  #nextId: () => Buffer = () => randomBytes(32);

  constructor(options: AuthenticatorOptions = {}) {
    this.options = options;
  }

  /** The same with other options from now on. */
  with(options: AuthenticatorOptions): this {
    this.options = { ...this.options, ...options };
    return this;
  }

  /** The same, whose next passkeys all have this id. */
  keeping(id: Buffer): this {
    this.#nextId = () => id;
    return this;
  }

  /** Makes a passkey as another server asks for it, and gives what that server keeps of it. */
  createElsewhere(userHandle: Buffer, rpId = "id.example.com") {
    const { id, key, algorithm } = this.#make(rpId, userHandle.toString("base64url"));
    return { credentialId: id, publicKey: encode(publicKeyOf(key, algorithm)), userHandle };
  }

  #make(rpId: string, userHandle: string): OwnPasskey {
    const { algorithm = "ES256" } = this.options;
    const key = privateKeyOf(algorithm);
    const passkey = { id: this.#nextId(), rpId, userHandle, algorithm, key, counter: 0 };
    this.passkeys.push(passkey);
    return passkey;
  }

  /** Answers `navigator.credentials.create`, as RegistrationResponseJSON. */
  create(asked: JsonObject): JsonObject {
    const rpId = this.options.rpId ?? textAt(asked, "rp", "id");
    const passkey = this.#make(rpId, textAt(asked, "user", "id"));
    const cose = publicKeyOf(passkey.key, passkey.algorithm, this.options.claimedAlgorithm);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(passkey.id.length);
    const attested = Buffer.concat([Buffer.alloc(16, 7), length, passkey.id, encode(cose)]);
    const authData = this.#authenticatorData(passkey, attested);
    const { format, statement } = this.options.attestation ?? { format: "none", statement: new Map() };
    const attestationObject = encode(
      new Map<Cbor, Cbor>([
        ["fmt", format],
        ["attStmt", statement],
        ["authData", authData],
      ]),
    );
    return {
      ...answerOf(passkey.id),
      response: {
        clientDataJSON: this.#clientData("webauthn.create", asked).toString("base64url"),
        attestationObject: attestationObject.toString("base64url"),
        transports: ["internal", "hybrid"],
      },
      clientExtensionResults: { credProps: { rk: this.options.discoverable ?? true } },
    };
  }

  /** Answers `navigator.credentials.get` with one of its passkeys, by default the newest, as AuthenticationResponseJSON. */
  get(asked: JsonObject, passkey = this.passkeys.at(-1)): JsonObject {
    if (passkey === undefined) throw new Error("there is no passkey to show");
    const clientData = this.#clientData("webauthn.get", asked);
    if (this.options.counts) passkey.counter += 1;
    const authData = this.#authenticatorData(passkey);
    const signed = Buffer.concat([authData, createHash("sha256").update(clientData).digest()]);
    const digest = passkey.algorithm === "EdDSA" ? null : "sha256";
    return {
      ...answerOf(passkey.id),
      response: {
        clientDataJSON: clientData.toString("base64url"),
        authenticatorData: authData.toString("base64url"),
        signature: sign(digest, signed, passkey.key).toString("base64url"),
        ...(this.options.discoverable !== false && { userHandle: passkey.userHandle }),
      },
      clientExtensionResults: {},
    };
  }

  #clientData(type: string, asked: JsonObject): Buffer {
    const { origin = "https://id.example.com", clientData } = this.options;
    return Buffer.from(
      JSON.stringify({ type, challenge: asked.challenge, origin, crossOrigin: false, ...clientData }),
    );
  }

  #authenticatorData(passkey: OwnPasskey, attested = Buffer.alloc(0)): Buffer {
    const {
      userPresent = true,
      userVerified = true,
      backupEligible = false,
      backedUp = false,
    } = this.options;
    const rpId = this.options.rpId ?? passkey.rpId;
    const flags =
      (userPresent ? 0x01 : 0) |
      (userVerified ? 0x04 : 0) |
      (backupEligible ? 0x08 : 0) |
      (backedUp ? 0x10 : 0) |
      (attested.length > 0 ? 0x40 : 0);
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(passkey.counter);
    return Buffer.concat([createHash("sha256").update(rpId).digest(), Buffer.of(flags), counter, attested]);
  }
}

/** What CBOR (RFC 8949) is written of here. */
export type Cbor = number | string | Uint8Array | ReadonlyMap<Cbor, Cbor> | readonly Cbor[];

/** Writes CBOR. */
export function encode(value: Cbor): Buffer {
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string")
    return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  if (value instanceof Map) {
    const entries = [...value].flatMap(([key, member]) => [encode(key), encode(member)]);
    return Buffer.concat([head(5, value.size), ...entries]);
  }
  const items = value as readonly Cbor[];
  return Buffer.concat([head(4, items.length), ...items.map(encode)]);
}

function head(major: number, length: number): Buffer {
  if (length < 24) return Buffer.of((major << 5) | length);
  if (length < 0x100) return Buffer.of((major << 5) | 24, length);
  const long = Buffer.alloc(3);
  long.writeUInt8((major << 5) | 25);
  long.writeUInt16BE(length, 1);
  return long;
}

function answerOf(id: Buffer): JsonObject {
  const text = id.toString("base64url");
  return { id: text, rawId: text, type: "public-key", authenticatorAttachment: "platform" };
}

/** RSA keys take long to make, so all passkeys have the same one. */
const rsaPair = once(() => generateKeyPairSync("rsa", { modulusLength: 2048 }));

function privateKeyOf(algorithm: keyof typeof algorithms): KeyObject {
  if (algorithm === "RS256") {
    return createPrivateKey(rsaPair().privateKey.export({ format: "pem", type: "pkcs8" }));
  }
  return algorithm === "EdDSA"
    ? generateKeyPairSync("ed25519").privateKey
    : generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

/** The public key of a pair as COSE has it. */
function publicKeyOf(key: KeyObject, algorithm: keyof typeof algorithms, claimed?: number) {
  return coseKey(createPublicKey(key).export({ format: "jwk" }), algorithm, claimed);
}

/** A public key as COSE has it (RFC 9053). */
export function coseKey(
  { x = "", y = "", n = "", e = "" }: JsonWebKey,
  algorithm: keyof typeof algorithms,
  claimed: number = algorithms[algorithm],
): Map<Cbor, Cbor> {
  const bytes = (text: string) => Buffer.from(text, "base64url");
  const [type, own]: [number, [number, Cbor][]] =
    algorithm === "RS256"
      ? [
          3,
          [
            [-1, bytes(n)],
            [-2, bytes(e)],
          ],
        ]
      : algorithm === "EdDSA"
        ? [
            1,
            [
              [-1, 6],
              [-2, bytes(x)],
            ],
          ]
        : [
            2,
            [
              [-1, 1],
              [-2, bytes(x)],
              [-3, bytes(y)],
            ],
          ];
  return new Map<Cbor, Cbor>([[1, type], [3, claimed], ...own]);
}

function textAt(object: JsonObject, ...path: readonly string[]): string {
  const value = path.reduce<JsonValue | undefined>(
    (inner, name) => (inner as JsonObject | undefined)?.[name],
    object,
  );
  if (typeof value !== "string") throw new Error(`the options have no ${path.join(".")}`);
  return value;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
