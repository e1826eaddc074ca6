import { isAddress } from "../domain/hosts.ts";
import { isAtOrBelow, passkeyOrigins, rpIdOf } from "../domain/method/passkey/origins.ts";
import { checkOrigin } from "./check-urls.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { type Problem, problemIf } from "./problems.ts";

const prefix = "tenant_defaults.passkey";

/**
 * Checks what passkeys are bound to.
 *
 * Security rule (SR-PASSKEY-2): what a page may do with passkeys is decided by its origin, compared exactly, and each origin is at or
 * below the domain that passkeys are made for.
 */
export function checkPasskey({ tenantDefaults: settings }: CompleteConfig): Problem[] {
  const { enabled, rpId: configured, origins, relatedOrigins } = settings.passkey;
  const wrongId = problemOfId(configured);
  if (wrongId !== undefined) return [{ key: `${prefix}.rp_id`, message: wrongId }];
  const rpId = rpIdOf(configured, settings.publicUrl);
  const wrongOrigins = origins.flatMap((origin, index) =>
    checkPasskeyOrigin(`${prefix}.origins[${index}]`, origin, rpId),
  );
  const { login, registration, verification, recovery, settings: change } = settings.flows;
  const pages = [login, registration, verification, recovery, change].map(({ uiUrl }) => uiUrl);
  const isServed = enabled && configured !== "" && settings.publicUrl !== "" && wrongOrigins.length === 0;
  const known = isServed ? passkeyOrigins(origins, [settings.publicUrl, ...pages], rpId) : undefined;
  return [
    ...wrongOrigins,
    ...relatedOrigins.flatMap((origin, index) =>
      checkRelatedOrigin(`${prefix}.related_origins[${index}]`, origin, rpId),
    ),
    ...problemIf(
      known?.length === 0,
      `${prefix}.rp_id`,
      "must be the host of public_url or of a ui_url, or a domain above it; otherwise name the pages in origins",
    ),
  ];
}

function problemOfId(rpId: string): string | undefined {
  if (rpId === "") return undefined;
  const isDomain = /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(rpId);
  if (!isDomain || isAddress(rpId)) return "must be a domain in lower case such as example.com";
  if (rpId.includes(".") || rpId === "localhost") return undefined;
  return "must not be a top-level domain";
}

function checkPasskeyOrigin(key: string, origin: string, rpId: string): Problem[] {
  if (origin.startsWith("android:")) {
    // SHA-256 of the certificate that the app is signed with.
    const isApp = /^android:apk-key-hash:[A-Za-z0-9_-]{43}$/.test(origin);
    return problemIf(!isApp, key, "must be android:apk-key-hash: and 43 characters of base64url");
  }
  const isElsewhere = (hostname: string) => rpId !== "" && !isAtOrBelow(hostname, rpId);
  const message = `must be at or below ${rpId}, the domain that passkeys are made for; others belong in related_origins`;
  return checkPage(key, origin, (hostname) => problemIf(isElsewhere(hostname), key, message));
}

function checkRelatedOrigin(key: string, origin: string, rpId: string): Problem[] {
  const message = `is at or below ${rpId}, the domain that passkeys are made for: it belongs in origins`;
  return checkPage(key, origin, (hostname) => problemIf(isAtOrBelow(hostname, rpId), key, message));
}

/** An origin as browsers send it, whose host is where it should be. */
function checkPage(key: string, text: string, checkHost: (hostname: string) => Problem[]): Problem[] {
  const example = "must be an origin such as https://app.example.com, without a path";
  const problems = checkOrigin(key, text, example);
  if (problems.length > 0 || !URL.canParse(text)) return problems;
  const { hostname, origin } = new URL(text);
  return [
    ...problemIf(origin !== text, key, `must be written as browsers send it: ${origin}`),
    ...checkHost(hostname),
  ];
}
