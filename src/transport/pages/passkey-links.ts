import type { Tenant, Tenants } from "../../domain/tenant/tenant.ts";
import type { HttpHandler } from "../net/exchange.ts";
import { respondJson } from "./json.ts";

/** What Android apps get: that they may use the passkeys of the domain, which needs both (Credential Manager). */
const androidRelations = [
  "delegate_permission/common.handle_all_urls",
  "delegate_permission/common.get_login_creds",
];

/**
 * What belongs to the passkeys of a domain, where browsers, phones and password managers ask for it:
 *
 * - `/.well-known/webauthn`: the pages of other domains that may call for them (WebAuthn level 3, section 5.11);
 * - `/.well-known/apple-app-site-association` and `/.well-known/assetlinks.json`: the apps that may;
 * - `/.well-known/passkey-endpoints`: the page where people make and remove them (W3C Passkey Endpoints).
 */
const documents: Readonly<Record<string, (settings: Tenant["settings"]) => object | undefined>> = {
  "/.well-known/webauthn": ({ passkey: { relatedOrigins: origins } }) =>
    origins.length > 0 ? { origins } : undefined,
  "/.well-known/apple-app-site-association": ({ passkey: { appleApps: apps } }) =>
    apps.length > 0 ? { webcredentials: { apps } } : undefined,
  "/.well-known/assetlinks.json": ({ passkey: { androidApps } }) =>
    androidApps.length > 0
      ? androidApps.map(({ packageName, fingerprints }) => ({
          relation: androidRelations,
          target: {
            namespace: "android_app",
            package_name: packageName,
            sha256_cert_fingerprints: fingerprints,
          },
        }))
      : undefined,
  "/.well-known/passkey-endpoints": ({ uiUrls: { settings: page } }) =>
    page === undefined ? undefined : { enroll: page, manage: page },
};

/** The routes of what there is to say; none where passkeys are off. */
export function passkeyLinkRoutes(tenants: Tenants): ReadonlyMap<string, HttpHandler> {
  const routes = new Map<string, HttpHandler>();
  const { settings } = tenants.byHost(undefined);
  if (!settings.passkey.enabled) return routes;
  for (const [path, documentOf] of Object.entries(documents)) {
    if (documentOf(settings) === undefined) continue;
    routes.set(path, (exchange, headers) => {
      // The port of the page may be known only now.
      respondJson(exchange, headers, 200, documentOf(tenants.byHost(exchange.host).settings) ?? {});
    });
  }
  return routes;
}
