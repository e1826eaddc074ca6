import { type DomainError, domainError } from "../errors.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { ChallengeGone, ServerUnavailable } from "./oauth2-server.ts";

/** The error of an answer that leads nowhere. */
export function refusalOf(answer: ChallengeGone | ServerUnavailable): DomainError {
  return answer.kind === "gone"
    ? domainError("OAUTH2_CHALLENGE_INVALID", { problem: answer.problem })
    : domainError("OAUTH2_SERVER_UNAVAILABLE", {});
}

/** Throws FEATURE_OFF for a challenge where no OAuth2 server is configured. */
export function assertHasServer({ settings }: Tenant, field: "login_challenge" | "logout_challenge"): void {
  if (settings.oauth2Server === undefined) throw domainError("FEATURE_OFF", { field });
}
