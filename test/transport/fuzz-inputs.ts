import type { DescService } from "@bufbuild/protobuf";
import { endHeaders, endStream, type Fields, frame, frameTypes, headerBlock, preface } from "./frames.ts";
import { FuzzedCalls } from "./fuzz-messages.ts";
import type { Random } from "./fuzz-random.ts";

/** One step of what a stranger does with a connection. */
export type Step =
  | { readonly kind: "write"; readonly bytes: Buffer }
  /** Reads until so many bytes have come, or until nothing comes any more. */
  | { readonly kind: "read"; readonly bytes: number }
  | { readonly kind: "end" | "reset" };

/** A good one most of the time, and each odd one now and then. */
const methods = [
  ...Array.from({ length: 24 }, () => "POST"),
  ...["GET", "GET", "HEAD", "OPTIONS", "PUT", "CONNECT", "x y"],
] as [string, ...string[]];

/** Makes what strangers send, to one listener with these services. */
export class Inputs {
  readonly #random: Random;
  readonly #calls: FuzzedCalls;

  constructor(random: Random, services: readonly DescService[], apiKey?: string) {
    this.#random = random;
    this.#calls = new FuzzedCalls(random, services, apiKey);
  }

  /** The whole life of one connection. */
  next(): Step[] {
    return this.#random.once(2) ? this.#http1() : this.#http2();
  }

  #http1(): Step[] {
    const random = this.#random;
    const steps: Step[] = [];
    for (let left = random.pick([1, 1, 1, 2, 5]); left > 0; left--) {
      const { path, type, body } = this.#calls.next();
      const version = random.once(20) ? random.pick(["1.0", "2.0", "9.9", ""]) : "1.1";
      const fields: Fields = [
        ["host", random.once(8) ? random.pick(["[", "a b", ""]) : "127.0.0.1"],
        ["content-type", type],
        ...this.#calls.fields(),
      ];
      const length = random.once(6)
        ? random.pick(["-1", "1", "99999999", "1e3", "0x10"])
        : String(body.length);
      const chunked = `${body.length.toString(16)}\r\n${body.toString("latin1")}\r\n0\r\n\r\n`;
      const isChunked = random.once(4);
      const framing = isChunked ? "transfer-encoding: chunked" : `content-length: ${length}`;
      const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      const head = `${random.pick(methods)} ${path} HTTP/${version}\r\n${lines}${framing}\r\n\r\n`;
      steps.push(...this.#cut(Buffer.from(head + (isChunked ? chunked : body.toString("latin1")), "latin1")));
    }
    return this.#withEnd(steps);
  }

  #http2(): Step[] {
    const random = this.#random;
    const parts = [
      random.once(30) ? random.bytes(24) : preface,
      frame(frameTypes.settings, 0, 0, this.#settings()),
    ];
    for (let index = random.below(6); index >= 0; index--) {
      const stream = random.once(15) ? random.below(2 ** 31) : 2 * (5 - index) + 1;
      parts.push(...this.#stream(stream));
      if (random.once(10)) parts.push(this.#anyFrame(stream));
    }
    const steps = random.once(3)
      ? parts.map((bytes) => ({ kind: "write", bytes }) as const)
      : this.#cut(Buffer.concat(parts));
    return this.#withEnd(steps);
  }

  /** A request as frames, reset at some point of it or not at all. */
  #stream(stream: number): Buffer[] {
    const random = this.#random;
    const { path, type, body } = this.#calls.next();
    const pseudo: Fields = [
      [":method", random.pick(methods)],
      [":scheme", "http"],
      [":path", path],
      [":authority", random.once(8) ? random.pick(["x", "[", ""]) : "127.0.0.1"],
    ];
    const kept = random.once(15) ? pseudo.filter(() => random.once(2)) : pseudo;
    const block = headerBlock([...kept, ["content-type", type], ...this.#calls.fields()]);
    const ends = body.length === 0 && random.once(2) ? endStream : 0;
    const frames = this.#headerFrames(stream, block, ends);
    for (let at = 0; at < body.length; at += 16_384) {
      const isLast = at + 16_384 >= body.length;
      frames.push(
        frame(
          frameTypes.data,
          isLast && !random.once(5) ? endStream : 0,
          stream,
          body.subarray(at, at + 16_384),
        ),
      );
    }
    if (random.once(6)) {
      frames.push(
        frame(frameTypes.headers, endHeaders | endStream, stream, headerBlock(this.#calls.fields())),
      );
    }
    if (random.once(3)) {
      const code = Buffer.from([0, 0, 0, random.below(16)]);
      frames.splice(1 + random.below(frames.length), 0, frame(frameTypes.rst, 0, stream, code));
    }
    return frames;
  }

  #headerFrames(stream: number, block: Buffer, flags: number): Buffer[] {
    const size = this.#random.pick([16_384, 16_384, 100, 1_000]);
    const count = Math.max(1, Math.ceil(block.length / size));
    return Array.from({ length: count }, (_, index) => {
      const type = index === 0 ? frameTypes.headers : frameTypes.continuation;
      const last = index === count - 1 && !this.#random.once(30) ? endHeaders : 0;
      return frame(
        type,
        (index === 0 ? flags : 0) | last,
        stream,
        block.subarray(index * size, (index + 1) * size),
      );
    });
  }

  #settings(): Buffer {
    const random = this.#random;
    const setting = () => {
      const bytes = Buffer.alloc(6);
      bytes.writeUInt16BE(random.once(5) ? random.below(65_536) : 1 + random.below(6));
      bytes.writeUInt32BE(random.pick([0, 1, 100, 65_535, 2 ** 31 - 1, 2 ** 32 - 1, 16_384]), 2);
      return bytes;
    };
    return Buffer.concat(random.once(3) ? random.list(4, setting) : []);
  }

  #anyFrame(stream: number): Buffer {
    const random = this.#random;
    const on = random.pick([0, stream, stream + 1, 2 ** 31 - 1]);
    const payload = random.pick([
      Buffer.alloc(0),
      Buffer.alloc(4),
      random.bytes(4),
      random.bytes(8),
      random.bytes(50),
    ]);
    return frame(random.below(14), random.below(256), on, payload);
  }

  /** The bytes in one piece, or in two, or only the first part of them. */
  #cut(bytes: Buffer): Step[] {
    const random = this.#random;
    const at = random.below(bytes.length + 1);
    const [start, rest] = [bytes.subarray(0, at), bytes.subarray(at)];
    if (random.once(6)) return [{ kind: "write", bytes: start }];
    if (random.once(3)) return [start, rest].map((part) => ({ kind: "write", bytes: part }));
    return [{ kind: "write", bytes }];
  }

  /** Reads some of the answer or all of it, and ends the connection in one of the ways. */
  #withEnd(steps: Step[]): Step[] {
    const random = this.#random;
    if (!random.once(5)) steps.push({ kind: "read", bytes: random.pick([1, 9, 50, 500, 100_000]) });
    if (random.once(4))
      steps.push({ kind: "write", bytes: frame(frameTypes.rst, 0, 1, Buffer.from([0, 0, 0, 8])) });
    steps.push({ kind: random.pick(["end", "reset", "reset"]) });
    return steps;
  }
}
