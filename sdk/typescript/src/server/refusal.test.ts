// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { retryAfterOf } from "../errors.ts";
import { SessionRefusedError } from "./refusal.ts";

describe("the refusal of a guard that cannot ask", () => {
  test.each([
    [undefined, "1"],
    [Number.NaN, "1"],
    [-128_000, "1"],
    [0, "1"],
    [1, "1"],
    [1001, "2"],
    [2000, "2"],
    [9.2e21, "86400"],
    [Number.POSITIVE_INFINITY, "86400"],
    [Number.NEGATIVE_INFINITY, "1"],
  ])(
    "tells to come back after %s milliseconds in whole seconds within a day: %s",
    (retryAfterMs, seconds) => {
      const refusal = unavailable(retryAfterMs);
      expect(refusal.toHeaders()["retry-after"]).toBe(seconds);
      expect(refusal.toResponse().headers.get("retry-after")).toBe(seconds);
      // Over Connect as well: a Duration that is out of range would fail where it is written.
      const told = retryAfterOf(refusal.toConnectError());
      expect(told === undefined).toBe(retryAfterMs === undefined);
      expect(told ?? 0).toBeGreaterThanOrEqual(0);
      expect(told ?? 0).toBeLessThanOrEqual(86_400_000);
    },
  );
});

function unavailable(retryAfterMs: number | undefined): SessionRefusedError {
  const init = { reason: "OSTIARY_UNAVAILABLE", message: "no", remedy: "later", retryAfterMs } as const;
  return new SessionRefusedError({ status: 503, ...init });
}
