import { expect, test } from "vitest";
import type { IdentityId, SessionId } from "../ids.ts";
import { instantOf } from "../instant.ts";
import type { AuthenticationMethod, Session } from "../session/session.ts";
import type { TenantSettings } from "../tenant/tenant.ts";
import { acceptedLogin } from "./accepted-login.ts";

const now = new Date("2026-11-29T12:00:00Z");
const cookie = (persistent: boolean) => ({ cookie: { persistent } }) as TenantSettings["session"];

function sessionWith(...kinds: readonly (AuthenticationMethod["kind"] | Partial<AuthenticationMethod>)[]) {
  const authenticationMethods = kinds.map((kind) => ({
    ...{ purpose: "sign_in", assuranceLevel: "aal1", completedAt: now },
    ...(typeof kind === "string" ? { kind } : kind),
  })) as readonly AuthenticationMethod[];
  return {
    id: "session" as SessionId,
    identityId: "identity" as IdentityId,
    assuranceLevel: kinds.length > 1 ? "aal2" : "aal1",
    authenticationMethods,
    expiresAt: instantOf(new Date(now.getTime() + 90_500)),
  } satisfies Partial<Session>;
}

test.each([
  [["password"], ["pwd"]],
  [
    ["password", "totp"],
    ["pwd", "otp", "mfa"],
  ],
  [
    ["code", "totp"],
    ["otp", "mfa"],
  ],
  [[{ kind: "code", sentBy: "sms" }], ["sms", "otp"]],
  [
    ["password", "sms"],
    ["pwd", "sms", "otp", "mfa"],
  ],
  [["passkey"], ["pop", "user"]],
  [
    ["link", "backup_code"],
    ["link", "backup_code", "mfa"],
  ],
] as const)("what was shown by %j has the names %j (RFC 8176)", (kinds, names) => {
  expect(acceptedLogin(sessionWith(...kinds), cookie(true), now).amr).toEqual(names);
});

test("the login is kept for as long as the session lasts, and where its cookie is", () => {
  const session = sessionWith("password");
  expect(acceptedLogin(session, cookie(true), now)).toMatchObject({ remember: true, rememberFor: 90 });
  expect(acceptedLogin(session, cookie(false), now).remember).toBe(false);
  // 0 would mean forever.
  const late = new Date(now.getTime() + 90_400);
  expect(acceptedLogin(session, cookie(true), late).rememberFor).toBe(1);
});
