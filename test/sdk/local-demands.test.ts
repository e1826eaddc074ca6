import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { AddressKind, FreshnessClass, MethodProperty } from "../../gen/ostiary/option/v1/demand_pb.js";
import { AuthenticationPurpose } from "../../gen/ostiary/session/v1/session_pb.js";
import { CheckSessionResponseSchema } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { type DemandInit, knownDemands } from "../../sdk/typescript/src/server/verifier/local-demands.ts";
import { DomainError } from "../../src/domain/errors.ts";
import type { TenantId } from "../../src/domain/ids.ts";
import { assertMeets, type Demand } from "../../src/domain/session/demands.ts";
import { anIdentity, aSession, noon, someSettings } from "../support/records.ts";

const tenant = { tenantId: "t" as TenantId, name: "default", settings: someSettings() };

const aMethod = fc.record({
  kind: fc.constantFrom("password", "passkey", "code"),
  purpose: fc.constantFrom("sign_in", "registration"),
  userVerified: fc.boolean(),
});
const kindNumbers = { password: MethodKind.PASSWORD, passkey: MethodKind.PASSKEY, code: MethodKind.CODE };
const purposeNumbers = {
  sign_in: AuthenticationPurpose.SIGN_IN,
  registration: AuthenticationPurpose.REGISTRATION,
};
const anAddress = fc.record({ kind: fc.constantFrom("email", "phone"), isVerified: fc.boolean() });

const aDemand = fc.oneof(
  fc.constantFrom("aal1", "aal2").map((level) => ({
    server: { kind: "assurance_level", level } as Demand,
    sent: { case: "assuranceLevel", value: level === "aal1" ? 1 : 2 } as DemandInit["demand"],
  })),
  fc.integer({ min: 1_000, max: 7_200_000 }).map((maxAgeMs) => ({
    server: { kind: "freshness", maxAgeMs } as Demand,
    sent: {
      case: "freshness",
      value: { within: { case: "maxAge", value: durationFromMs(maxAgeMs) } },
    } as DemandInit["demand"],
  })),
  fc.constantFrom("phishing_resistant", "user_verified").map((property) => ({
    server: { kind: "method_property", property } as Demand,
    sent: {
      case: "methodProperty",
      value: property === "user_verified" ? MethodProperty.USER_VERIFIED : MethodProperty.PHISHING_RESISTANT,
    } as DemandInit["demand"],
  })),
  fc.constantFrom(undefined, "email", "phone").map((addressKind) => ({
    server: { kind: "verified_address", addressKind } as Demand,
    sent: {
      case: "verifiedAddress",
      value: {
        kind:
          addressKind === undefined
            ? AddressKind.UNSPECIFIED
            : addressKind === "email"
              ? AddressKind.EMAIL
              : AddressKind.PHONE,
      },
    } as DemandInit["demand"],
  })),
);

// Security rule (SR-SDK-9): what the SDK takes for met is met by the server's rules.
test("demands mean the same in a verifier as on the server", () => {
  fc.assert(
    fc.property(
      fc.record({
        level: fc.constantFrom("aal1", "aal2"),
        methods: fc.array(aMethod, { minLength: 1, maxLength: 3 }),
        addresses: fc.array(anAddress, { maxLength: 3 }),
        ageMs: fc.integer({ min: 0, max: 7_200_000 }),
        demands: fc.array(aDemand, { minLength: 1, maxLength: 3 }),
      }),
      ({ level, methods, addresses, ageMs, demands }) => {
        const identity = anIdentity({
          verifiableAddresses: addresses.map(({ kind, isVerified }, index) => ({
            ...{ kind: kind as "email", value: `${index}@example.com`, path: `${index}` },
            verifiedAt: isVerified ? noon : undefined,
          })),
        });
        const session = aSession(identity.id, {
          assuranceLevel: level as "aal1",
          authenticationMethods: methods.map(({ kind, purpose, userVerified }) => ({
            ...{ kind: kind as "password", purpose: purpose as "sign_in", userVerified },
            ...{ assuranceLevel: "aal1" as const, completedAt: noon },
          })),
        });
        const now = new Date(noon.getTime() + ageMs);
        const isMet = () => {
          try {
            assertMeets(
              { session, identity },
              demands.map(({ server }) => server),
              { tenant, now },
            );
            return true;
          } catch (error) {
            if (error instanceof DomainError) return false;
            throw error;
          }
        };
        const answer = create(CheckSessionResponseSchema, {
          session: {
            assuranceLevel: level === "aal1" ? 1 : 2,
            authenticateTime: timestampFromDate(session.authenticatedAt),
            authenticationMethods: methods.map(({ kind, purpose, userVerified }) => ({
              kind: kindNumbers[kind as "password"],
              purpose: purposeNumbers[purpose as "sign_in"],
              userVerified,
            })),
          },
          identity: {
            addresses: addresses.map(({ kind, isVerified }) => ({
              kind: kind === "email" ? AddressKind.EMAIL : AddressKind.PHONE,
              ...(isVerified && { verifyTime: timestampFromDate(noon) }),
            })),
          },
        });
        const known = knownDemands(demands.map(({ sent }) => ({ demand: sent }) as DemandInit));
        expect(known.areMet(answer, now.getTime())).toBe(isMet());
      },
    ),
    { numRuns: 500 },
  );
});

// Security rule (SR-SDK-9): what this package does not know is never met here.
test.each<[string, DemandInit["demand"]]>([
  [
    "a span that the server configures",
    { case: "freshness", value: { within: { case: "freshnessClass", value: FreshnessClass.PRIVILEGED } } },
  ],
  ["actions that time may make pending", { case: "noPendingActions", value: {} }],
  ["a level that is newer", { case: "assuranceLevel", value: 9 as never }],
  ["a property that is newer", { case: "methodProperty", value: 9 as never }],
  ["a kind of address that is newer", { case: "verifiedAddress", value: { kind: 9 as never } }],
  ["nothing", { case: undefined }],
])("only Ostiary says whether a session meets %s", (_name, demand) => {
  const answer = create(CheckSessionResponseSchema, {
    session: { assuranceLevel: 2, authenticateTime: timestampFromDate(noon) },
    identity: { addresses: [{ kind: 9 as AddressKind, verifyTime: timestampFromDate(noon) }] },
  });
  expect(knownDemands([{ demand } as DemandInit]).areMet(answer, noon.getTime())).toBe(false);
});
