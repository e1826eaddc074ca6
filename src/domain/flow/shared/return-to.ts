import { domainError } from "../../errors.ts";
import { isAtProtectedHost } from "../../tenant/protected-hosts.ts";
import type { TenantSettings } from "../../tenant/tenant.ts";

/**
 * The address that the browser goes to after a flow: exactly one of the allowed ones, one at a host that forward auth protects, or the
 * configured default.
 * The comparison is of whole strings (ASVS V3.7.2), so that `//host`, backslashes, user info, encoded line breaks
 * and look-alike hosts have nothing to play with. Throws RETURN_TO_NOT_ALLOWED.
 */
export function resolveReturnTo(returnTo: string | undefined, settings: TenantSettings): string | undefined {
  if (returnTo === undefined || returnTo === "") return settings.defaultReturnUrl;
  if (returnTo === settings.defaultReturnUrl || settings.allowedReturnUrls.has(returnTo)) return returnTo;
  if (isAtProtectedHost(returnTo, settings.protectedHosts, settings.publicUrl)) return returnTo;
  throw domainError("RETURN_TO_NOT_ALLOWED", { returnTo: returnTo.slice(0, 200) });
}
