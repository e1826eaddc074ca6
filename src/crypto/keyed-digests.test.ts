import { createHmac, hkdfSync } from "node:crypto";
import { expect, test } from "vitest";
import { Secret } from "../domain/secret.ts";
import { createKeyedDigests } from "./keyed-digests.ts";

const secret = (text: string) => new Secret(text.repeat(8));

test("a keyed digest is HMAC-SHA256 under a key derived from the first secret, cut to 16 bytes", () => {
  const key = hkdfSync("sha256", "abcd".repeat(8), "", "ostiary keyed digests", 32);
  const expected = createHmac("sha256", Buffer.from(key)).update("throttle\0ada").digest().subarray(0, 16);
  const digests = createKeyedDigests(() => [secret("abcd"), secret("efgh")]);
  expect(Buffer.from(digests.make("throttle", "ada"))).toEqual(expected);
});

test("differs by purpose, text and secret, and follows a rotation at once", () => {
  let current = [secret("abcd")];
  const digests = createKeyedDigests(() => current);
  const first = Buffer.from(digests.make("throttle", "ada")).toString("hex");
  const others = [digests.make("code", "ada"), digests.make("throttle", "Ada")];
  current = [secret("efgh"), ...current];
  others.push(digests.make("throttle", "ada"));
  expect(new Set([first, ...others.map((each) => Buffer.from(each).toString("hex"))]).size).toBe(4);
});
