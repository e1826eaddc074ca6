import { OutgoingHttpError } from "../../domain/outgoing-http.ts";
import type { ProviderFailure } from "../../domain/provider/provider.ts";

/**
 * Why a provider's answer is none.
 *
 * Security rule (SR-OIDC-6): the detail is for the log, so it names no token, code, secret or claim. It is one of our own
 * sentences, and of what came holds only names that are listed here.
 */
export class ProviderProblem extends Error {
  override readonly name = "ProviderProblem";
  readonly problem: ProviderFailure["problem"];
  /** The code of the provider's own error, if it is known. */
  readonly code: string | undefined;

  constructor(problem: ProviderFailure["problem"], detail: string, code?: string) {
    super(detail);
    this.problem = problem;
    this.code = code;
  }

  toFailure(): ProviderFailure {
    return { kind: "failed", problem: this.problem, detail: this.message };
  }
}

/** What came is not what was asked for. */
export function invalid(detail: string): ProviderProblem {
  return new ProviderProblem("invalid", detail);
}

/** The problem behind an error of a call, whatever libraries have put around it. */
export function toProblem(error: unknown): ProviderProblem {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if (cause instanceof ProviderProblem) return cause;
    if (cause instanceof OutgoingHttpError) {
      // Our own message, which names the host alone.
      return new ProviderProblem(cause.problem === "too_large" ? "invalid" : "unavailable", cause.message);
    }
  }
  // Messages of libraries may quote what came; their names and codes are their own words.
  const { name, code } =
    error instanceof Error ? (error as Error & { code?: unknown }) : { name: "", code: "" };
  const known = typeof code === "string" && /^[A-Z][A-Z_]{2,60}$/.test(code) ? ` (${code})` : "";
  return invalid(`what came cannot be used: ${/^\w{1,40}$/.test(name) ? name : "an error"}${known}`);
}

/** Errors of RFC 6749, OpenID Connect Core 1.0 and of single providers, and what they come to. */
const errorCodes: Readonly<Record<string, ProviderFailure["problem"]>> = {
  access_denied: "denied",
  account_selection_required: "denied",
  consent_required: "denied",
  interaction_required: "denied",
  login_required: "denied",
  unmet_authentication_requirements: "denied",
  // Apple, LinkedIn
  user_cancelled_authorize: "denied",
  user_cancelled_login: "denied",
  server_error: "unavailable",
  temporarily_unavailable: "unavailable",
  invalid_client: "invalid",
  invalid_grant: "invalid",
  invalid_request: "invalid",
  invalid_scope: "invalid",
  invalid_target: "invalid",
  registration_not_supported: "invalid",
  request_not_supported: "invalid",
  request_uri_not_supported: "invalid",
  unauthorized_client: "invalid",
  unsupported_grant_type: "invalid",
  unsupported_response_type: "invalid",
  // GitHub
  bad_verification_code: "invalid",
  incorrect_client_credentials: "invalid",
  redirect_uri_mismatch: "invalid",
  unverified_user_email: "denied",
};

/** The problem of an answer that is an error. `where` says who has answered it. */
export function problemOfCode(where: string, code: unknown): ProviderProblem {
  const known = typeof code === "string" && Object.hasOwn(errorCodes, code) ? code : undefined;
  const problem = known === undefined ? undefined : errorCodes[known];
  if (known === undefined || problem === undefined) {
    return invalid(`${where} answered with an error that is none of the known ones`);
  }
  return new ProviderProblem(problem, `${where} answered with the error ${known}`, known);
}
