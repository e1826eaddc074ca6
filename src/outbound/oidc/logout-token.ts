import { isObject, type JsonValue } from "../../domain/json.ts";
import type { Provider, ProviderLogout } from "../../domain/provider/provider.ts";
import type { ProviderMetadata } from "./provider-metadata.ts";
import { invalid, type ProviderProblem } from "./provider-problem.ts";
import { checkSignedToken, clockToleranceSeconds, type TokenDeps, textClaim } from "./signed-token.ts";

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout";
/** For how long after it was issued a logout token is taken, so that its id needs to be known for that long only. */
const maxAgeSeconds = 3_600;

/**
 * Checks a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6). Throws ProviderProblem.
 *
 * Security rule (SR-OIDC-7): an ID token is none, though the same key has signed it: it has no such event, and a logout token
 * has no nonce.
 */
export async function checkLogoutToken(
  deps: TokenDeps,
  provider: Provider,
  metadata: ProviderMetadata,
  token: string,
): Promise<ProviderLogout> {
  const no = (why: string): ProviderProblem => invalid(`the logout token: ${why}`);
  const { issuer, payload } = await checkSignedToken(deps, provider, metadata, token, {
    what: "the logout token",
    // Issuers from before the specification was final write `JWT`.
    types: ["logout+jwt", "jwt"],
    audiences: [provider.clientId, ...provider.nativeClientIds],
  });
  const { events, nonce, sub, sid, jti, iat, exp } = payload;
  if (
    !isObject(events as JsonValue | undefined) ||
    !isObject((events as Record<string, JsonValue>)[logoutEvent])
  ) {
    throw no("it tells of no logout");
  }
  if (nonce !== undefined) throw no("it has a nonce");
  const subject = textClaim(sub);
  const session = textClaim(sid);
  if ((sub !== undefined && subject === undefined) || (sid !== undefined && session === undefined)) {
    throw no("its subject or session is no text, or too long");
  }
  if (subject === undefined && session === undefined) throw no("it names neither a subject nor a session");
  const id = textClaim(jti);
  if (id === undefined) throw no("it has no id");
  const takenUntil = iat + maxAgeSeconds;
  if (takenUntil < deps.clock.now().getTime() / 1000) throw no("it is too old");
  return {
    kind: "logout",
    issuer,
    subject,
    session,
    id,
    // For as long as the same token would be taken.
    expiresAt: new Date(Math.min(exp + clockToleranceSeconds, takenUntil) * 1000),
  };
}
