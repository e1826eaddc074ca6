import { gzipSync } from "node:zlib";
import type { DescField, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { envelope, type Fields } from "./frames.ts";
import type { Random } from "./fuzz-random.ts";

/** A request apart from its framing. */
export interface FuzzedCall {
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
}

const plainPaths = [
  "/health/alive",
  "/health/ready",
  "/version",
  "/metrics",
  "/ui/login",
  "/mailbox",
  "/clear-cookies",
];
const contentTypes = [
  ...["json", "proto", "grpc", "grpc+proto", "grpc+json", "grpc-web", "grpc-web+json", "grpc-web-text"],
  ...["grpc-web-text+proto", "connect+json", "connect+proto", "nothing", "json; charset=utf-16", "grpc+"],
].map((name) => `application/${name}`) as [string, ...string[]];
/** What is a thousand times as large when it is unpacked. */
const bomb = gzipSync(Buffer.alloc(2_000_000));

const oddTexts = [
  ...[
    "",
    " ",
    "a",
    "\u0000",
    "\ud800",
    "\uffff",
    "%00",
    "../..",
    "ost_ses_x",
    "ost_flw_x",
    "1e999",
    "null",
    "__proto__",
  ],
  ...[
    "a@b.example",
    "@",
    "+491701234567",
    "😀".repeat(100),
    "a".repeat(5_000),
    "[".repeat(500),
    "\u202e",
    "' OR 1=1 --",
  ],
] as [string, ...string[]];

/** Makes requests to services that are nearly right: odd fields, broken envelopes, mutated messages. */
export class FuzzedCalls {
  readonly #random: Random;
  /** What every other request shows, so that it gets as far as to its handler. */
  readonly #apiKey: string | undefined;
  readonly #methods: readonly [DescMethod, ...DescMethod[]];

  constructor(random: Random, services: readonly DescService[], apiKey: string | undefined) {
    this.#random = random;
    this.#apiKey = apiKey;
    this.#methods = services.flatMap(({ methods }) => methods) as [DescMethod, ...DescMethod[]];
  }

  /** Header fields besides those that a request needs. */
  fields(): Fields {
    const random = this.#random;
    const odd = (): readonly [string, string] => random.pick(this.#oddFields());
    const many = random.once(12)
      ? random.list(400, (index): readonly [string, string] => [`x-${index}`, "v"])
      : [];
    const cookies = random.once(12)
      ? random.list(200, (index): readonly [string, string] => ["cookie", `c${index}=v`])
      : [];
    const key: Fields =
      this.#apiKey !== undefined && random.once(2) ? [["authorization", `Bearer ${this.#apiKey}`]] : [];
    return [...key, ...(random.once(2) ? random.list(4, odd) : []), ...many, ...cookies];
  }

  #oddFields(): [readonly [string, string], ...(readonly [string, string])[]] {
    const random = this.#random;
    const long = "v".repeat(random.pick([1, 100, 5_000, 40_000]));
    return [
      ["connect-timeout-ms", random.pick(["0", "1", "9999999999", "-1", "x"])],
      ["grpc-timeout", random.pick(["0n", "1n", "1m", "99999999H", "2147484S", "1", ""])],
      ["connect-protocol-version", random.pick(["1", "2", ""])],
      ["content-encoding", random.pick(["gzip", "br", "identity", "", long])],
      ["grpc-encoding", random.pick(["gzip", "br", "identity"])],
      ["connect-content-encoding", random.pick(["gzip", "zstd"])],
      ["grpc-accept-encoding", random.pick(["gzip", long])],
      [
        "authorization",
        random.pick(["Bearer", "Bearer ost_ses_x", "Bearer ost_key_x", "Basic eDp5", `Bearer ${long}`]),
      ],
      [
        "cookie",
        random.pick([
          `ostiary_session=${long}`,
          "ostiary_session=a; ostiary_session=b",
          ";=;=",
          "a".repeat(9_000),
        ]),
      ],
      ["origin", random.pick(["null", "https://evil.example", "x", ""])],
      ["x-forwarded-for", random.pick(["1.2.3.4", ",".repeat(900), "::", long])],
      ["ostiary-api-key", random.pick(["ost_key_client:forward", "ost_key_unknown", "", long])],
      ["ostiary-client-address", random.pick(["1.2.3.4", "::", "fe80::1%a", "%", long])],
      ["ostiary-client-user-agent", random.pick(oddTexts)],
      ["accept-language", random.pick(["de", "*", ",;q=".repeat(900), long])],
      ["accept", random.pick(["text/html", "*/*"])],
      ["expect", random.pick(["100-continue", "x"])],
      ["connection", random.pick(["close", "upgrade", "keep-alive, x"])],
      ["upgrade", random.pick(["h2c", "websocket"])],
      ["te", random.pick(["trailers", "gzip"])],
      ["user-agent", random.pick(oddTexts)],
      ["X-Upper", "v"],
      ["bad name", "v"],
      ["x-line", "a\r\nb: c"],
    ];
  }

  next(): FuzzedCall {
    const random = this.#random;
    const method = random.pick(this.#methods);
    const type = random.once(3) ? "application/json" : random.pick(contentTypes);
    const path = `/${method.parent.typeName}/${method.name}`;
    if (random.once(8))
      return { path: random.pick(plainPaths as [string, ...string[]]), type, body: Buffer.alloc(0) };
    if (random.once(12)) {
      const query = encodeURIComponent(JSON.stringify(this.#json(method.input, 0)));
      return { path: `${path}?connect=v1&encoding=json&message=${query}`, type, body: Buffer.alloc(0) };
    }
    return { path, type, body: this.#body(method.input, type) };
  }

  #body(input: DescMessage, type: string): Buffer {
    const random = this.#random;
    if (random.once(40))
      return Buffer.alloc(random.pick([20_000, 100_000, 1_100_000]), random.pick(["A=", " ", "[", "\u0000"]));
    let message = type.includes("json")
      ? Buffer.from(JSON.stringify(this.#json(input, 0)))
      : random.bytes(random.below(60));
    if (random.once(6)) message = this.#mutated(message);
    if (random.once(8)) message = random.once(4) ? bomb : gzipSync(message);
    if (!type.includes("grpc") && !type.includes("connect")) return message;
    const flags = random.once(4) ? random.pick([1, 2, 3, 128, 255]) : 0;
    const declared = random.once(5)
      ? random.pick([0, 1, 2 ** 32 - 1, 2 ** 31, message.length + 1])
      : message.length;
    const sent = envelope(flags, message, declared);
    const all = random.once(6) ? Buffer.concat([sent, sent]) : sent;
    return type.includes("text") ? Buffer.from(this.#text(all)) : all;
  }

  #text(bytes: Buffer): string {
    const text = bytes.toString("base64");
    return this.#random.pick([
      text,
      text,
      `${text}=`,
      text.slice(1),
      text.replaceAll("A", "A="),
      text.replaceAll("A", "-"),
    ]);
  }

  #mutated(bytes: Buffer): Buffer {
    const random = this.#random;
    const changed = Buffer.from(bytes);
    for (let left = 1 + random.below(4); left > 0 && changed.length > 0; left--) {
      changed[random.below(changed.length)] = random.below(256);
    }
    return random.once(3) ? changed.subarray(0, random.below(changed.length + 1)) : changed;
  }

  /** A message of this kind in JSON, with odd values in its fields. */
  #json(message: DescMessage, depth: number): object | string {
    const random = this.#random;
    if (message.typeName === "google.protobuf.Struct")
      return { email: random.pick(oddTexts), [random.pick(oddTexts)]: [1, null] };
    if (message.typeName.startsWith("google.protobuf.")) return random.pick(oddTexts);
    const chosen = depth > 4 ? [] : message.fields.filter(() => random.once(2));
    return Object.fromEntries(chosen.map((field) => [field.jsonName, this.#value(field, depth)]));
  }

  #value(field: DescField, depth: number): unknown {
    const random = this.#random;
    if (random.once(20)) return random.pick([null, [], {}, -1, 1e308, true, "x"]);
    const one = () => {
      if (field.message !== undefined) return this.#json(field.message, depth + 1);
      if (field.enum !== undefined) return random.pick([1, 2, 1, 2, 99, "CLIENT_KIND_NATIVE"]);
      return random.pick([random.pick(oddTexts), random.pick(oddTexts), random.below(100), true]);
    };
    return field.fieldKind === "list"
      ? random.list(3, one)
      : field.fieldKind === "map"
        ? { a: one() }
        : one();
  }
}
