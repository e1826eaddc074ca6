import argon2 from "@node-rs/argon2";
import { isSameBytes } from "../../domain/bytes.ts";
import type { Argon2Parameters } from "../../domain/ports.ts";
import type { PasswordFormat } from "./format.ts";
import { decodeBase64, encodeBase64, readParameters } from "./phc.ts";

/**
 * Argon2id, argon2i and argon2d (RFC 9106) in PHC form: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. The
 * parameters may stand in any order, because libraries differ. Without `v=` the version is 1.0 (16), as in the
 * reference implementation. An import may bring at most 1 GiB, 10 passes and 16 lanes.
 */
export const argon2Format: PasswordFormat = {
  name: "argon2",
  read: (hash) => {
    const parsed = parseArgon2(hash);
    if (parsed === undefined) return undefined;
    const { type, parameters } = parsed;
    return {
      algorithm: type,
      importable:
        parameters.memoryKib <= 2 ** 20 && parameters.iterations <= 10 && parameters.parallelism <= 16,
      verify: (password) => isSameBytes(recompute(password, parsed), parsed.hash),
    };
  },
};

/** An argon2 hash in its parts. */
export interface ParsedArgon2 {
  readonly type: "argon2id" | "argon2i" | "argon2d";
  readonly version: number;
  readonly parameters: Argon2Parameters;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** The version of argon2 that our own hashes have: 1.3. */
export const currentArgon2Version = 0x13;

/** Takes a PHC string apart; undefined if it is malformed or beyond what the configuration could ever ask for. */
export function parseArgon2(text: string): ParsedArgon2 | undefined {
  const match = /^\$(argon2(?:id|i|d))(?:\$v=(16|19))?\$([a-z0-9=,]{1,64})\$([^$]+)\$([^$]+)$/.exec(text);
  const [, type, versionText, parametersText = "", saltText = "", hashText = ""] = match ?? [];
  if (type !== "argon2id" && type !== "argon2i" && type !== "argon2d") return undefined;
  const values = readParameters(parametersText, ["m", "t", "p"]);
  // RFC 9106, section 3.1 wants a salt of 8 bytes or more. A hash below 16 bytes could be met by chance.
  const salt = decodeBase64(saltText, 8, 64);
  const hash = decodeBase64(hashText, 16, 64);
  if (values === undefined || salt === undefined || hash === undefined) return undefined;
  const { m, t, p } = values;
  // The upper bounds are those of the configuration (ostiary.config.v1.Argon2); 8 KiB a lane is RFC 9106's least.
  if (p < 1 || p > 64 || t < 1 || t > 100 || m < 8 * p || m > 2 ** 22) return undefined;
  const version = versionText === undefined ? 0x10 : Number(versionText);
  return { type, version, parameters: { memoryKib: m, iterations: t, parallelism: p }, salt, hash };
}

/** The argon2id hash of a password, raw; 32 bytes, version 1.3. Computed in the thread that calls it. */
export function computeArgon2id(password: Buffer, parameters: Argon2Parameters, salt: Buffer): Buffer {
  return recompute(password, {
    type: "argon2id",
    version: currentArgon2Version,
    parameters,
    salt,
    hash: Buffer.alloc(32),
  });
}

/** The PHC string of an argon2id hash, in the order of the reference implementation: every library reads it. */
export function formatArgon2id(parameters: Argon2Parameters, salt: Buffer, hash: Buffer): string {
  const { memoryKib, iterations, parallelism } = parameters;
  const values = `m=${memoryKib},t=${iterations},p=${parallelism}`;
  return `$argon2id$v=${currentArgon2Version}$${values}$${encodeBase64(salt)}$${encodeBase64(hash)}`;
}

// The numbers that the library has for them: its enums cannot be imported under isolatedModules.
const types = { argon2d: 0, argon2i: 1, argon2id: 2 } as const;

function recompute(password: Buffer, { type, version, parameters, salt, hash }: ParsedArgon2): Buffer {
  return argon2.hashRawSync(password, {
    algorithm: types[type],
    version: version === currentArgon2Version ? 1 : 0,
    memoryCost: parameters.memoryKib,
    timeCost: parameters.iterations,
    parallelism: parameters.parallelism,
    salt,
    outputLen: hash.length,
  });
}
