import { expect, test } from "vitest";
import { anIdentity, aSession, noon } from "../../../test/support/records.ts";
import type { AssuranceLevel, AuthenticationMethod } from "../session/session.ts";
import { sessionClaims } from "./claims.ts";

const { id } = anIdentity();

function proof(
  kind: AuthenticationMethod["kind"],
  more: Partial<AuthenticationMethod> = {},
): AuthenticationMethod {
  return { kind, purpose: "sign_in", assuranceLevel: "aal1", completedAt: noon, ...more };
}

// docs/session-checks.md has the same table.
test.each<[string, AssuranceLevel, AuthenticationMethod[], string[] | undefined]>([
  ["a password", "aal1", [proof("password")], ["pwd"]],
  ["a code by mail", "aal1", [proof("code")], ["otp"]],
  ["a code by text message", "aal1", [proof("code", { sentBy: "sms" })], ["otp", "sms"]],
  ["a link", "aal1", [proof("link")], ["otp"]],
  ["password and app", "aal2", [proof("password"), proof("totp")], ["pwd", "otp", "mfa"]],
  ["password and backup code", "aal2", [proof("password"), proof("backup_code")], ["pwd", "otp", "mfa"]],
  ["password and text message", "aal2", [proof("password"), proof("sms")], ["pwd", "otp", "sms", "mfa"]],
  ["a passkey", "aal1", [proof("passkey")], ["pop", "user"]],
  [
    "a passkey that verified its user",
    "aal2",
    [proof("passkey", { userVerified: true })],
    ["pop", "user", "mfa"],
  ],
  ["a passkey that was just made", "aal1", [proof("passkey", { purpose: "registration" })], undefined],
  ["another provider", "aal1", [proof("oidc", { provider: "google" })], ["fed"]],
])("%s: acr %s", (_name, assuranceLevel, authenticationMethods, amr) => {
  const session = aSession(id, { assuranceLevel, authenticationMethods });
  expect(sessionClaims(session)).toEqual({
    sub: id,
    sid: session.id,
    acr: assuranceLevel,
    ...(amr && { amr }),
    auth_time: Math.floor(session.authenticatedAt.getTime() / 1000),
  });
});
