import { parseExact } from "./check-urls.ts";
import type { CompleteConfig } from "./complete-config.ts";
import type { Problem } from "./problems.ts";

const example = "an origin such as capacitor://localhost, without a path";

// Those whose addresses anybody can have, and those that are no origin of a page.
const otherSchemes = new Set([
  "about",
  "blob",
  "data",
  "file",
  "filesystem",
  "ftp",
  "javascript",
  "ws",
  "wss",
]);

/**
 * Checks that each of `server.native_origins` is the origin of an app's web view and of no web page.
 *
 * Security rule (SR-ORIGIN-2): what such a page sends counts as sent by a native app. So it is none that a page of the web can have, and none
 * whose calls carry the cookies of a browser.
 */
export function checkNativeOrigins({ server, tenantDefaults }: CompleteConfig): Problem[] {
  const pages = originsOfPages({ server, tenantDefaults });
  return server.nativeOrigins.flatMap((origin, index) => {
    const page = pages.find((candidate) => candidate.origin === origin);
    const message =
      page === undefined
        ? problemOf(origin)
        : `is the origin of ${page.key} as well: its pages use browser flows and cookies`;
    return message === undefined ? [] : [{ key: `server.native_origins[${index}]`, message }];
  });
}

function problemOf(text: string): string | undefined {
  if (text === "") return "must not be empty";
  const parsed = parseExact(text, "capacitor://localhost");
  if (parsed.kind === "wrong") return parsed.message;
  const [, scheme = "", host = "", port, rest = ""] =
    /^([^:/?#]+):\/\/(\[[^\]]*\]|[^/?#:]*)(?::([^/?#]*))?(.*)$/.exec(text) ?? [];
  if (scheme === "" || host === "" || otherSchemes.has(scheme.toLowerCase())) return `must be ${example}`;
  if (rest !== "") return `must be ${example} and without a slash at its end`;
  if (scheme !== scheme.toLowerCase()) return "must have its scheme in lower case, as browsers send it";
  if (scheme === "https" || scheme === "http") {
    if (!/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*localhost$/.test(host)) {
      return "must have the host localhost or one below .localhost, in lower case: other pages belong in tenant_defaults.allowed_origins";
    }
    return port === undefined ? undefined : "must have no port: only a web server's pages have one";
  }
  const isOrigin = /^[A-Za-z0-9._-]+$/.test(host) && (port === undefined || /^[1-9]\d{0,4}$/.test(port));
  return isOrigin ? undefined : `must be ${example}`;
}

/** The origins whose pages are a browser's; what cannot be read is reported where it stands. */
function originsOfPages({
  server: { public: listener },
  tenantDefaults: settings,
}: Pick<CompleteConfig, "server" | "tenantDefaults">) {
  const { login, registration, verification, recovery, settings: change } = settings.flows;
  const prefix = "tenant_defaults.";
  const pages = Object.entries({ login, registration, verification, recovery, settings: change });
  const scheme = listener.tls === undefined ? "http" : "https";
  return [
    settings.publicUrl === ""
      ? { key: "server.public", url: `${scheme}://${listener.host}:${listener.port}` }
      : { key: `${prefix}public_url`, url: settings.publicUrl },
    ...pages.map(([flow, { uiUrl }]) => ({ key: `${prefix}flows.${flow}.ui_url`, url: uiUrl })),
    ...settings.allowedOrigins.map((url, index) => ({ key: `${prefix}allowed_origins[${index}]`, url })),
  ].flatMap(({ key, url }) => (URL.canParse(url) ? [{ key, origin: new URL(url).origin }] : []));
}
