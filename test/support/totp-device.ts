import { createHmac } from "node:crypto";

/** An authenticator app, by RFC 6238 and RFC 4226 alone. */
export class TotpDevice {
  readonly #key: Buffer;
  readonly #now: () => Date;

  constructor(key: Buffer, now: () => Date) {
    this.#key = key;
    this.#now = now;
  }

  /** One with the key that was shown. */
  static from(base32: string, now: () => Date): TotpDevice {
    return new TotpDevice(fromBase32(base32), now);
  }

  /** The code of now, or of so many steps later. */
  code(steps = 0, digits = 6): string {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(this.#now().getTime() / 30_000) + steps));
    const digest = createHmac("sha1", this.#key).update(counter).digest();
    const offset = (digest.at(-1) ?? 0) & 0xf;
    const number = digest.readUInt32BE(offset) & 0x7fffffff;
    return String(number % 10 ** digits).padStart(digits, "0");
  }
}

/** RFC 4648, section 6. */
function fromBase32(text: string): Buffer {
  const bits = [...text]
    .map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
