import { expect, test } from "vitest";
import { hasVanishingNumber } from "./decode.ts";

test.each([
  ['{"a":1e-999}', true],
  ['{"a":[0, -12.5E-0400]}', true],
  [`{"a":0.${"0".repeat(400)}1}`, true],
  [`{"a":0.${"0".repeat(230)}1e-99}`, true],
  [`{"a":0.${"0".repeat(220)}1e-99}`, false],
  ['{"a":5e-324,"b":1e-300}', false],
  ['{"a":0e-999,"b":0.0}', false],
  ['{"a":"1e-999","1e-999":"\\"1e-999","c":true}', false],
  [`{"a":0.${"0".repeat(400)}}`, false],
])("of %s a number vanishes: %s", (text, vanishes) => {
  expect(hasVanishingNumber(text)).toBe(vanishes);
  // What the function is about.
  expect(() => JSON.parse(text)).not.toThrow();
});

// Security rule (SR-INPUT-1): whatever a stranger sends costs linear time.
test.each([
  ["exponents", "[0e-111,".padEnd(200_000, "e-11,")],
  ["points", "[0e-111,".padEnd(200_000, `.${"0".repeat(199)}`)],
  ["strings", "[0e-111,".padEnd(200_000, '"\\"')],
  ["digits", "[0e-111,".padEnd(200_000, "1")],
])("text of many %s is looked at in a moment", (_name, text) => {
  const before = process.cpuUsage().user;
  hasVanishingNumber(text);
  expect(process.cpuUsage().user - before).toBeLessThan(100_000);
});
