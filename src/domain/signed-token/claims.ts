/** What signed tokens say of a session by themselves: docs/session-checks.md has the same tables. */
import type { JsonObject } from "../json.ts";
import { propertiesOf } from "../session/demands.ts";
import type { AuthenticationMethod, Session } from "../session/session.ts";

/** The claims of a session: who, by which session, how and when they signed in. */
export function sessionClaims(session: Session): JsonObject {
  const amr = authenticationMethodReferences(session);
  return {
    sub: session.identityId,
    sid: session.id,
    acr: session.assuranceLevel,
    ...(amr.length > 0 && { amr: [...amr] }),
    auth_time: Math.floor(session.authenticatedAt.getTime() / 1000),
  };
}

/** The claim `amr`: values of RFC 8176 and its registry, each once, oldest proof first; `mfa` last. */
function authenticationMethodReferences({
  authenticationMethods,
  assuranceLevel,
}: Pick<Session, "authenticationMethods" | "assuranceLevel">): readonly string[] {
  const values = authenticationMethods.flatMap(referencesOf);
  return [...new Set(assuranceLevel === "aal2" ? [...values, "mfa"] : values)];
}

function referencesOf(proof: AuthenticationMethod): readonly string[] {
  switch (proof.kind) {
    case "password":
      return ["pwd"];
    case "totp":
    case "backup_code":
    case "link":
      return ["otp"];
    case "code":
      return proof.sentBy === "sms" ? ["otp", "sms"] : ["otp"];
    case "sms":
      return ["otp", "sms"];
    // That a passkey was made proves nothing; an assertion proves that its key is there, and its user.
    case "passkey":
      return propertiesOf(proof).length > 0 ? ["pop", "user"] : [];
    // The registry has no value for another provider; this one is in wide use.
    case "oidc":
      return ["fed"];
    default:
      return proof.kind satisfies never;
  }
}
