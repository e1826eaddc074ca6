import { describe, expect, test } from "vitest";
import { anIdentity, noon } from "../../../../test/support/records.ts";
import { DomainError } from "../../errors.ts";
import type { Demand } from "../../session/demands.ts";
import { assuranceToReach } from "./demands.ts";

const verified = { kind: "email", value: "ada@example.com", path: "email", verifiedAt: noon } as const;
const ada = anIdentity({ verifiableAddresses: [verified] });
const one = [{ factor: "first" }] as const;
const two = [{ factor: "first" }, { factor: "second" }] as const;
const level = (wanted: "aal1" | "aal2"): Demand => ({ kind: "assurance_level", level: wanted });

/** The level to reach, or the reason why no login reaches it. */
function toReach(
  demands: readonly Demand[],
  methods: Parameters<typeof assuranceToReach>[2] = two,
  of = ada,
) {
  try {
    return assuranceToReach(demands, of, methods);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { reason: error.reason, ...error.metadata };
  }
}

describe("a login to step up", () => {
  test("reaches the greatest level that was demanded, and none where none was", () => {
    expect(toReach([])).toBeUndefined();
    expect(toReach([{ kind: "freshness", maxAgeMs: 0 }])).toBeUndefined();
    expect(toReach([level("aal1")])).toBe("aal1");
    expect(toReach([level("aal2")])).toBe("aal2");
    expect(toReach([level("aal1"), level("aal2"), level("aal1")])).toBe("aal2");
    expect(toReach([level("aal1"), { kind: "freshness", maxAgeMs: 0 }])).toBe("aal1");
    expect(toReach([level("aal1")], one)).toBe("aal1");
    expect(toReach([level("aal2")], [{ factor: "either" }])).toBe("aal2");
  });

  // Nobody is led through a login in vain.
  test.each<[string, readonly Demand[], string]>([
    ["two factors where no method is a second one", [level("aal2")], "assuranceLevel"],
    [
      "a verified address of a kind that the account has not",
      [{ kind: "verified_address", addressKind: "phone" }],
      "verifiedAddress",
    ],
    [
      "a property of a method",
      [{ kind: "method_property", property: "phishing_resistant" }],
      "methodProperty",
    ],
  ])("does not begin for %s", (_, demands, demand) => {
    expect(toReach(demands, one)).toEqual({ reason: "STEP_UP_IMPOSSIBLE", demand });
  });

  test("begins for what the account has already", () => {
    expect(toReach([{ kind: "verified_address", addressKind: "email" }])).toBeUndefined();
  });

  test("does not begin for what is not served yet, which it names", () => {
    const demands: Demand[] = [level("aal1"), { kind: "no_pending_actions" }];
    expect(toReach(demands)).toEqual({ reason: "FEATURE_OFF", field: "demands.1.noPendingActions" });
  });
});
