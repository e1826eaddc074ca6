import { expect, test } from "vitest";
import { calibrateArgon2, minimumArgon2Parameters } from "./calibrate-argon2.ts";

test("never goes below the OWASP minimum, however short the target or small the memory", () => {
  const { parameters, durationMs } = calibrateArgon2({ targetMs: 0.01, memoryKibMax: 1 });
  expect(parameters).toEqual(minimumArgon2Parameters);
  expect(durationMs).toBeGreaterThan(0.01);
});

test("uses more passes when the memory is used up, and stays within the bounds of an import", () => {
  const { parameters } = calibrateArgon2({ targetMs: 100_000, memoryKibMax: 20_480 });
  expect(parameters).toEqual({ memoryKib: 20_480, iterations: 10, parallelism: 1 });
});
