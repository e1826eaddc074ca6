import { describe, expect, test } from "vitest";
import { aCredential, anIdentity, noon } from "../../../../test/support/records.ts";
import { DomainError } from "../../errors.ts";
import type { Credential } from "../../identity/identity.ts";
import type { Demand } from "../../session/demands.ts";
import { toShow } from "./demands.ts";

const verified = { kind: "email", value: "ada@example.com", path: "email", verifiedAt: noon } as const;
const ada = anIdentity({ verifiableAddresses: [verified] });
const credential = "password";
const one = [{ factor: "first", credential }] as const;
const two = [...one, { factor: "second", credential }] as const;
const strong = { factor: "either", credential: "passkey", properties: ["phishing_resistant"] } as const;
const level = (wanted: "aal1" | "aal2"): Demand => ({ kind: "assurance_level", level: wanted });

/** What is to be shown, or the reason why no login shows it. */
function toReach(
  demands: readonly Demand[],
  methods: Parameters<typeof toShow>[2] = two,
  credentials: readonly Credential[] = [],
  isWayIn = true,
) {
  const canShow = (method: (typeof methods)[number], { kind }: Credential) =>
    isWayIn && method.credential === kind;
  try {
    return toShow(demands, ada, methods, credentials, canShow);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { reason: error.reason, ...error.metadata };
  }
}

describe("a login to step up", () => {
  test("reaches the greatest level that was demanded, and none where none was", () => {
    expect(toReach([])).toEqual({});
    expect(toReach([{ kind: "freshness", maxAgeMs: 0 }])).toEqual({});
    expect(toReach([level("aal1")])).toEqual({ stepsUpTo: "aal1" });
    expect(toReach([level("aal2")])).toEqual({ stepsUpTo: "aal2" });
    expect(toReach([level("aal1"), level("aal2"), level("aal1")])).toEqual({ stepsUpTo: "aal2" });
    expect(toReach([level("aal1"), { kind: "freshness", maxAgeMs: 0 }])).toEqual({ stepsUpTo: "aal1" });
    expect(toReach([level("aal1")], one)).toEqual({ stepsUpTo: "aal1" });
    expect(toReach([level("aal2")], [strong])).toEqual({ stepsUpTo: "aal2" });
  });

  test("shows a property that a credential of the account can have, and that signs in", () => {
    const demand = { kind: "method_property", property: "phishing_resistant" } as const;
    const passkey = aCredential({ kind: "passkey" });
    const impossible = { reason: "STEP_UP_IMPOSSIBLE", demand: "methodProperty" };
    const methods = [...two, strong];
    expect(toReach([demand, demand], methods, [passkey])).toEqual({ demanded: ["phishing_resistant"] });
    expect(toReach([demand, level("aal2")], methods, [passkey])).toEqual({
      ...{ stepsUpTo: "aal2", demanded: ["phishing_resistant"] },
    });
    expect(toReach([demand], methods, [aCredential()])).toEqual(impossible);
    expect(toReach([demand], two, [passkey])).toEqual(impossible);
    expect(toReach([{ ...demand, property: "user_verified" }], methods, [passkey])).toEqual(impossible);
    expect(toReach([demand], methods, [passkey], false)).toEqual(impossible);
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
      "a property of a method that the account does not have",
      [{ kind: "method_property", property: "phishing_resistant" }],
      "methodProperty",
    ],
  ])("does not begin for %s", (_, demands, demand) => {
    expect(toReach(demands, one)).toEqual({ reason: "STEP_UP_IMPOSSIBLE", demand });
  });

  test("begins for what the account has already", () => {
    expect(toReach([{ kind: "verified_address", addressKind: "email" }])).toEqual({});
  });

  test("does all that the account is asked to do, where none of it may be left", () => {
    const demands: Demand[] = [level("aal1"), { kind: "no_pending_actions" }];
    expect(toReach(demands)).toEqual({ stepsUpTo: "aal1", doesActions: true });
  });
});
