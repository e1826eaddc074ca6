/**
 * What a start makes of the configuration before it opens or changes anything. `ostiary config check` runs the same, so
 * that what it calls OK can be served.
 */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { createRenderer } from "./app-courier.ts";
import { knownScopes } from "./app-services.ts";
import { pagesWanted, toTenantSettings } from "./app-settings.ts";
import type { AppOptions } from "./app-types.ts";
import type { CompleteConfig } from "./config/complete-config.ts";
import { ConfigError, describeProblem } from "./config/problems.ts";
import { scopeAllows } from "./domain/access/scopes.ts";
import { bareHost, isAddress, isLoopbackHost } from "./domain/hosts.ts";
import { closest } from "./domain/suggest.ts";
import type { TenantSettings } from "./domain/tenant/tenant.ts";
import { createDestinations, portOf } from "./outbound/destinations.ts";
import { isPublicAddress } from "./outbound/public-address.ts";
import type { LiquidRenderer } from "./outbound/templates/liquid-renderer.ts";
import type { HttpHandler } from "./transport/net/exchange.ts";
import { parseTrustedProxies } from "./transport/net/peers.ts";
import { currentLook } from "./transport/pages/branding.ts";
import { loadStaticFiles } from "./transport/pages/static-files.ts";
import { readTelemetryVariables } from "./transport/telemetry/variables.ts";

/** Result of preparing. */
export interface Prepared {
  readonly renderer: LiquidRenderer;
  /** The files of the self-service pages by their paths; undefined if they are not served. */
  readonly pages: ReadonlyMap<string, HttpHandler> | undefined;
}

/** Folder of the built self-service pages, in a checkout and in the published package. */
export const pagesFolder = fileURLToPath(new URL("../ui/dist", import.meta.url));

/**
 * Tries each value on the code that uses it, without connecting. Throws a ConfigError with a line for each problem.
 * `settings` are those of the tenant when a page is served.
 */
export async function prepare(
  { config, environment = {} }: Pick<AppOptions, "config" | "environment">,
  settings: () => TenantSettings = () => toTenantSettings(config, config.config.server.public.port),
): Promise<Prepared> {
  const lines: string[] = [];
  const attempt = async <T>(key: string, work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ConfigError) lines.push(...error.problems);
      else {
        const message = error instanceof Error ? error.message : String(error);
        // The variables of OpenTelemetry name themselves.
        lines.push(key === "" ? message : describeProblem({ key, message }, new Map(config.sources)));
      }
      return undefined;
    }
  };
  const { config: values } = config;
  const renderer = await attempt("tenant_defaults.courier.template_directory", () => createRenderer(config));
  const pages = await attempt(
    values.server.ui.directory === "" ? "server.ui.enabled" : "server.ui.directory",
    () => loadPages(config, settings),
  );
  await attempt("", () => readTelemetryVariables(environment));
  await attempt("server.trusted_proxies", () => parseTrustedProxies(values.server.trustedProxies));
  await attempt("tenant_defaults", () => toTenantSettings(config, values.server.public.port));
  for (const [index, { scopes }] of values.access.clientCertificates.entries()) {
    await attempt(`access.client_certificates[${index}].scopes`, () => scopes.forEach(assertScope));
  }
  for (const [key, url] of calledUrls(config)) await attempt(key, () => assertCallable(values, url));
  if (config.embedded) {
    await attempt("database.data_directory", () => assertWritable(values.database.dataDirectory));
  }
  if (renderer === undefined || lines.length > 0) throw new ConfigError(lines);
  return { renderer, pages };
}

/** A scope that nothing asks for is a typing mistake, and would leave its holder without the permission. */
function assertScope(scope: string): void {
  const isKnown = [...knownScopes].some((known) => scopeAllows([scope], known));
  if (isKnown) return;
  const meant = closest(scope, [...knownScopes]);
  throw new Error(
    `${scope} is no permission; ${meant === undefined ? `there is ${[...knownScopes].join(", ")}` : `did you mean ${meant}?`}`,
  );
}

function loadPages(
  { config, brandFiles }: Pick<AppOptions["config"], "config" | "brandFiles">,
  settings: () => TenantSettings,
): Prepared["pages"] {
  const wanted = pagesWanted(config);
  if (wanted === "never") return undefined;
  const { directory } = config.server.ui;
  const publicUrl = () => settings().publicUrl;
  const look = () => currentLook({ settings, files: brandFiles });
  const pages = loadStaticFiles(directory || pagesFolder, "ui", publicUrl, look);
  if (pages === undefined && directory !== "")
    throw new Error(`the directory ${directory} has no index.html`);
  if (pages === undefined && wanted === "always") {
    throw new Error("the pages are not built: run `make ui`, or switch them off");
  }
  return pages;
}

/** The addresses that the server itself calls, by their keys. */
function calledUrls(loaded: AppOptions["config"]): readonly (readonly [string, string])[] {
  const { config, secrets, providers } = loaded;
  const { password, oauth2Server } = toTenantSettings(loaded, config.server.public.port);
  const called: Record<string, string | undefined> = {
    "tenant_defaults.courier.email.http.url": secrets.messageUrl("email")?.reveal(),
    "tenant_defaults.courier.sms.http.url": secrets.messageUrl("sms")?.reveal(),
    "server.outbound.breached_passwords.url": password.breachCheck.enabled
      ? secrets.breachedPasswordsUrl().reveal()
      : undefined,
    "tenant_defaults.oauth2_provider.admin_url": oauth2Server?.adminUrl,
  };
  for (const [index, { issuer, endpoints }] of providers.entries()) {
    const key = `tenant_defaults.oidc.providers[${index}]`;
    if (endpoints.kind === "discovery") called[`${key}.issuer`] = issuer;
    else {
      called[`${key}.token_url`] = endpoints.tokenUrl;
      called[`${key}.userinfo_url`] = endpoints.userinfoUrl;
    }
  }
  return Object.entries(called).flatMap(([key, url]) => (url === undefined ? [] : [[key, url]]));
}

/** Refuses URLs that would be refused at each call. A name is resolved at the call, so it is checked again then. */
function assertCallable({ server }: CompleteConfig, text: string): void {
  const url = new URL(text);
  const destinations = createDestinations(server.outbound);
  destinations.assertAllowed(url);
  const host = bareHost(url.hostname);
  const isPrivate = isLoopbackHost(host) || (isAddress(host) && !isPublicAddress(host));
  if (!isPrivate || destinations.isExempt(url.hostname, portOf(url))) return;
  throw new Error(
    `${url.host} is not public: list it in server.outbound.allowed_private_hosts, or it is never called`,
  );
}

/** The directory is made at the first start, so what counts is the nearest one that is there. */
function assertWritable(directory: string): void {
  let existing = directory;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  if (!statSync(existing).isDirectory()) throw new Error(`${existing} is not a directory`);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "EROFS" ? "its file system is read-only" : "permission denied";
    throw new Error(`the directory ${existing} cannot be written: ${reason}`, { cause: error });
  }
}
