import { domainError } from "../../errors.ts";
import type { TenantSettings } from "../../tenant/tenant.ts";

/**
 * The address that the browser goes to after a flow: exactly one of the allowed ones, or the configured default.
 * The comparison is of whole strings (ASVS V3.7.2), so that `//host`, backslashes, user info, encoded line breaks
 * and look-alike hosts have nothing to play with. Throws RETURN_TO_NOT_ALLOWED.
 */
export function resolveReturnTo(returnTo: string | undefined, settings: TenantSettings): string | undefined {
  if (returnTo === undefined || returnTo === "") return settings.defaultReturnUrl;
  if (returnTo !== settings.defaultReturnUrl && !settings.allowedReturnUrls.has(returnTo)) {
    throw domainError("RETURN_TO_NOT_ALLOWED", { returnTo: returnTo.slice(0, 200) });
  }
  return returnTo;
}
