import type { AuthenticationMethod, Session } from "../session/session.ts";
import type { TenantSettings } from "../tenant/tenant.ts";
import type { AcceptedLogin } from "./oauth2-server.ts";

/** What the OAuth2 server is told of a login that gave this session. */
export function acceptedLogin(
  session: Pick<Session, "id" | "identityId" | "assuranceLevel" | "authenticationMethods" | "expiresAt">,
  { cookie }: TenantSettings["session"],
  now: Date,
): AcceptedLogin {
  return {
    subject: session.identityId,
    sessionId: session.id,
    acr: session.assuranceLevel,
    amr: amrOf(session),
    // As long as this server knows the browser, and no longer.
    remember: cookie.persistent,
    rememberFor: Math.max(1, Math.floor((session.expiresAt.getTime() - now.getTime()) / 1000)),
  };
}

/** The names of the registry of RFC 8176 for what was shown; the server's own names where it has none. */
function amrOf({
  authenticationMethods,
  assuranceLevel,
}: Pick<Session, "authenticationMethods" | "assuranceLevel">): readonly string[] {
  const names = authenticationMethods.flatMap(namesOf);
  return [...new Set(assuranceLevel === "aal2" ? [...names, "mfa"] : names)];
}

function namesOf({ kind, sentBy }: AuthenticationMethod): readonly string[] {
  switch (kind) {
    case "password":
      return ["pwd"];
    case "totp":
      return ["otp"];
    case "code":
      return sentBy === "sms" ? ["sms", "otp"] : ["otp"];
    case "sms":
      return ["sms", "otp"];
    // Possession of a key, and the presence of a person. Nobody has vouched for the hardware.
    case "passkey":
      return ["pop", "user"];
    default:
      return [kind];
  }
}
