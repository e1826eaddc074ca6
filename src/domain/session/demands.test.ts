import { describe, expect, test } from "vitest";
import { anIdentity, aSession, noon, someSettings } from "../../../test/support/records.ts";
import { DomainError } from "../errors.ts";
import type { TenantId } from "../ids.ts";
import { assertMeets, type Demand } from "./demands.ts";
import type { AuthenticatedSession } from "./session.ts";

const hourMs = 3_600_000;
const tenant = {
  tenantId: "t" as TenantId,
  name: "default",
  settings: someSettings({ settings: { ...someSettings().settings, privilegedMs: hourMs } }),
};
const identity = anIdentity({
  verifiableAddresses: [
    { kind: "email", value: "ada@example.com", path: "email", verifiedAt: undefined },
    { kind: "phone", value: "+4930123456", path: "phone", verifiedAt: noon },
  ],
});
const shown: AuthenticatedSession = { session: aSession(identity.id), identity };
const strong = { ...shown, session: aSession(identity.id, { assuranceLevel: "aal2" }) };
const unverified = { ...shown, identity: anIdentity() };

/** The reason of the refusal at a time after the login; undefined if the demands are met. */
function missing(demands: readonly Demand[], of = shown, afterMs = 0) {
  try {
    assertMeets(of, demands, { tenant, now: new Date(noon.getTime() + afterMs) });
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { reason: error.reason, ...error.metadata };
  }
  return undefined;
}

describe("a session", () => {
  test("meets no demands at all, and all that it meets", () => {
    expect(missing([])).toBeUndefined();
    const all: Demand[] = [
      { kind: "assurance_level", level: "aal1" },
      { kind: "freshness", maxAgeMs: 1000 },
      { kind: "verified_address", addressKind: "phone" },
      { kind: "no_pending_actions" },
    ];
    expect(missing(all)).toBeUndefined();
  });

  test("is as strong as was demanded, or stronger", () => {
    const demand = (level: "aal1" | "aal2"): Demand[] => [{ kind: "assurance_level", level }];
    expect(missing(demand("aal2"))).toEqual({
      reason: "SESSION_ASSURANCE_TOO_LOW",
      required: "aal2",
      actual: "aal1",
    });
    expect(missing(demand("aal2"), strong)).toBeUndefined();
    expect(missing(demand("aal1"), strong)).toBeUndefined();
  });

  test.each<[string, number | "privileged"]>([
    ["the span that was given", hourMs],
    ["the configured span for changes of an account", "privileged"],
  ])("is fresh until %s has passed", (_name, maxAgeMs) => {
    const demands: Demand[] = [{ kind: "freshness", maxAgeMs }];
    expect(missing(demands, shown, hourMs)).toBeUndefined();
    expect(missing(demands, shown, hourMs + 1)).toEqual({
      reason: "SESSION_AUTHENTICATION_TOO_OLD",
      maxAgeSeconds: "3600",
    });
  });

  // No method that exists has either property, so a demand for one refuses everybody.
  test.each(["phishing_resistant", "user_verified"] as const)("is never %s, by any proof", (property) => {
    const kinds = ["password", "code", "link"] as const;
    const authenticationMethods = kinds.map(
      (kind) => ({ kind, purpose: "sign_in", assuranceLevel: "aal1", completedAt: noon }) as const,
    );
    const session = aSession(identity.id, { authenticationMethods });
    expect(missing([{ kind: "method_property", property }], { ...shown, session })).toEqual({
      reason: "SESSION_METHOD_INSUFFICIENT",
      property,
    });
  });

  test("is of an identity with a verified address of the kind", () => {
    const demand = (addressKind?: "email" | "phone"): Demand[] => [{ kind: "verified_address", addressKind }];
    const lacks = (kind: string) => ({ reason: "SESSION_ADDRESS_UNVERIFIED", kind });
    expect(missing(demand())).toBeUndefined();
    expect(missing(demand("phone"))).toBeUndefined();
    expect(missing(demand("email"))).toEqual(lacks("email"));
    expect(missing(demand(), unverified)).toEqual(lacks("any"));
  });

  test("is told the first that it does not meet", () => {
    const demands: Demand[] = [
      { kind: "no_pending_actions" },
      { kind: "freshness", maxAgeMs: 1000 },
      { kind: "assurance_level", level: "aal2" },
    ];
    expect(missing(demands, shown, hourMs)?.reason).toBe("SESSION_AUTHENTICATION_TOO_OLD");
  });
});
