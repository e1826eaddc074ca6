import { type ErrorReason, errorReasons, errorTexts } from "../../domain/errors.ts";
import type { PreviewState } from "../preview-state.ts";

/** A state for each refusal that people are told of: the calls of the page fail with it. Of a session it leads to the login. */
export function refusalStates(): readonly PreviewState[] {
  return errorReasons.flatMap((reason) => {
    const { user } = errorTexts[reason];
    if (user === undefined) return [];
    const name = `refused/${reason.toLowerCase().replaceAll("_", "-")}`;
    return [{ name, page: pageOf(reason), title: user.text, shows: { kind: "refused", reason } }];
  });
}

function pageOf(reason: ErrorReason): string {
  if (reason.startsWith("SESSION_") || reason === "STEP_UP_IMPOSSIBLE") return "sessions";
  if (reason.startsWith("REGISTRATION_") || reason.startsWith("INVITATION_")) return "registration";
  if (reason.startsWith("RECOVERY_")) return "recovery";
  if (reason.startsWith("VERIFICATION_")) return "verification";
  // Where the address names the request of an OAuth2 server.
  return reason.startsWith("OAUTH2_") ? "login?login_challenge=sample" : "login";
}
