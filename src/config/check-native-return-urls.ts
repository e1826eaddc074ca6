import { isLoopbackHost } from "../domain/hosts.ts";
import { parseExact } from "./check-urls.ts";
import type { CompleteConfig } from "./complete-config.ts";
import type { Problem } from "./problems.ts";

/**
 * Checks where the system's browser goes after a login at a provider.
 *
 * Security rule (SR-PROVIDER-4): the code that a native app exchanges goes to an app of this machine alone: to the loopback address, to a
 * scheme that is the app's own (RFC 8252, section 7.1), or to an https URL that opens it.
 */
export function checkNativeReturnUrls({ tenantDefaults: { oidc } }: CompleteConfig): Problem[] {
  return oidc.nativeReturnUrls.flatMap((text, index) => {
    const message = problemOf(text);
    return message === undefined
      ? []
      : [{ key: `tenant_defaults.oidc.native_return_urls[${index}]`, message }];
  });
}

function problemOf(text: string): string | undefined {
  const parsed = parseExact(text, "com.example.app:/callback");
  if (parsed.kind === "wrong") return parsed.message;
  const { url } = parsed;
  if (text.includes("#")) return "must have no fragment: the code is added to the query";
  if (url.protocol === "http:") return problemOfLoopback(text, url);
  if (url.protocol === "https:") {
    return /^https:\/\/[^/]/.test(text)
      ? undefined
      : "must be an absolute URL such as https://app.example.com/callback";
  }
  // A domain name reversed has a dot. That keeps javascript:, data:, file: and their like out without a list of them.
  const isOwn = /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:\/[^/]/.test(text);
  return isOwn
    ? undefined
    : "must start with https://, with http://127.0.0.1/ or http://[::1]/, or with an app's own scheme, in lower case and with a dot, such as com.example.app:/callback";
}

/** RFC 8252, sections 7.3 and 8.3. */
function problemOfLoopback(text: string, url: URL): string | undefined {
  if (!isLoopbackHost(url.hostname)) return "must start with https:// unless its host is 127.0.0.1 or [::1]";
  const rest = /^http:\/\/(?:127\.0\.0\.1|\[::1\])(?![^:/?])(.*)$/.exec(text)?.[1];
  if (rest === undefined)
    return "must have the host 127.0.0.1 or [::1], as written here: a name may lead elsewhere";
  if (rest.startsWith(":")) return "must have no port: an app takes any that is free";
  return /^\/[^?]/.test(rest) ? undefined : "must have a path such as /callback";
}
