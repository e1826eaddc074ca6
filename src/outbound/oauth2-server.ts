import { isObject, type JsonObject, type JsonValue } from "../domain/json.ts";
import type {
  ChallengeGone,
  GoOnAt,
  OAuth2LoginRequest,
  OAuth2Server,
  ServerUnavailable,
} from "../domain/oauth2/oauth2-server.ts";
import type { Logger, OutgoingHttp } from "../domain/ports.ts";
import type { Secret } from "../domain/secret.ts";
import type { OAuth2ServerSettings, Tenant } from "../domain/tenant/tenant.ts";

interface OAuth2ServerOptions {
  /** The bearer token of the admin API. Read at each call. */
  readonly apiKey: () => Secret | undefined;
  readonly http: OutgoingHttp;
  readonly logger: Logger;
}

type Kind = "login" | "logout";
type Answered<Found> = Found | ChallengeGone | ServerUnavailable;
/** What an answer says; a text says what is wrong with it, for the log. */
type Read<Found> = (body: JsonObject, settings: OAuth2ServerSettings) => Found | string;

/** The largest answer that is read: a login request holds what its application was registered with. */
const maxAnswerBytes = 256 * 1024;
/** The greatest length of an address that a browser is sent to. */
const maxUrlLength = 16 * 1024;
/** Calls at a time. More would only wait for a server that is slow already. */
const mostAtOnce = 100;
const unavailable: ServerUnavailable = { kind: "unavailable" };

/**
 * Speaks the admin API of Ory Hydra 2 (https://www.ory.com/docs/hydra/reference/api).
 *
 * Security rule (SR-OAUTH-1): nothing of an answer is believed before it was checked, and browsers are only sent to the origin that the
 * configuration names. A challenge is in no log.
 */
export function createOAuth2Server({ apiKey, http, logger }: OAuth2ServerOptions): OAuth2Server {
  let underWay = 0;
  let isFailing = false;

  const failed = (settings: OAuth2ServerSettings, problem: string, err?: unknown): ServerUnavailable => {
    const message = `the OAuth2 server cannot be asked: ${problem}`;
    // Once for an outage, whose calls may be many.
    if (!isFailing) logger.warn({ server: new URL(settings.adminUrl).host, err }, message);
    isFailing = true;
    return unavailable;
  };

  const call = async <Found>(
    { settings: { oauth2Server: settings } }: Tenant,
    request: {
      readonly kind: Kind;
      readonly challenge: string;
      readonly action?: "accept" | "reject";
      readonly body?: object;
    },
    read: Read<Found>,
  ): Promise<Answered<Found>> => {
    if (settings === undefined) return unavailable;
    if (underWay >= mostAtOnce) return failed(settings, "too many calls wait for it");
    underWay++;
    try {
      const { kind, challenge, action, body } = request;
      const path = `/admin/oauth2/auth/requests/${kind}${action === undefined ? "" : `/${action}`}`;
      const query = new URLSearchParams({ [`${kind}_challenge`]: challenge });
      const key = apiKey();
      const response = await http.fetch(`${settings.adminUrl}${path}?${query}`, {
        method: action === undefined ? "GET" : "PUT",
        headers: {
          accept: "application/json",
          ...(key && { authorization: `Bearer ${key.reveal()}` }),
          ...(body && { "content-type": "application/json" }),
        },
        ...(body && { body: JSON.stringify(body) }),
        timeoutMs: settings.timeoutMs,
        maxResponseBytes: maxAnswerBytes,
      });
      const answer = parse(await response.text());
      const problem = goneBy(response.status, answer);
      if (problem === undefined && response.status !== 200) {
        return failed(settings, `it answered with status ${response.status}`);
      }
      if (problem === undefined && answer === undefined) return failed(settings, "its answer is no JSON");
      const found = problem === undefined ? read(answer ?? {}, settings) : undefined;
      if (typeof found === "string") return failed(settings, found);
      if (isFailing)
        logger.info({ server: new URL(settings.adminUrl).host }, "the OAuth2 server answers again");
      isFailing = false;
      return found ?? { kind: "gone", problem: problem ?? "unknown" };
    } catch (error) {
      return failed(settings, "no whole answer came", error);
    } finally {
      underWay--;
    }
  };

  return {
    loginRequest: (tenant, challenge) =>
      call(tenant, { kind: "login", challenge }, (body, settings) => readLogin(body, challenge, settings)),
    acceptLogin: (tenant, challenge, { subject, sessionId, acr, amr, remember, rememberFor }) => {
      const body = {
        ...{ subject, acr, amr, remember, remember_for: rememberFor },
        identity_provider_session_id: sessionId,
      };
      return call(tenant, { kind: "login", challenge, action: "accept", body }, readGoOn);
    },
    rejectLogin: (tenant, challenge, error) =>
      call(tenant, { kind: "login", challenge, action: "reject", body: { error } }, readGoOn),
    logoutRequest: (tenant, challenge) =>
      call(tenant, { kind: "logout", challenge }, (body) =>
        isOther(body, challenge) ? "its answer is about another challenge" : ({ kind: "found" } as const),
      ),
    acceptLogout: (tenant, challenge) =>
      call(tenant, { kind: "logout", challenge, action: "accept" }, readGoOn),
  };
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: JsonValue = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    // What is no JSON is told apart by its caller.
    return undefined;
  }
}

/**
 * What has become of a challenge; undefined if the answer says nothing of that. Only an answer in the form of the API counts: the
 * page of a proxy, or the 404 of a wrong path, is a mistake of the configuration.
 */
function goneBy(status: number, body: JsonObject | undefined): ChallengeGone["problem"] | undefined {
  const isError = typeof body?.error === "string" || isObject(body?.error);
  switch (status) {
    case 404:
      return isError ? "unknown" : undefined;
    case 410:
      return body === undefined ? undefined : "used";
    case 409:
      return isError ? "used" : undefined;
    // "The login request has expired"; a wrong key is answered by whatever guards the API, in another way.
    case 401:
      return body?.error === "request_unauthorized" ? "expired" : undefined;
    default:
      return undefined;
  }
}

function readLogin(
  body: JsonObject,
  challenge: string,
  settings: OAuth2ServerSettings,
): OAuth2LoginRequest | string {
  if (isOther(body, challenge)) return "its answer is about another challenge";
  const requestUrl = ownUrl(body.request_url, settings);
  if (requestUrl === undefined) return "request_url is not at tenant_defaults.oauth2_provider.public_url";
  const { subject, skip } = body;
  if (typeof subject !== "string" || typeof skip !== "boolean") return "subject or skip is missing";
  if (skip && subject === "") return "it skips a login of nobody";
  const client = isObject(body.client) ? body.client : {};
  const asked = requestUrl.searchParams;
  const context = isObject(body.oidc_context) ? body.oidc_context : {};
  const maxAge = asked.get("max_age") ?? "";
  return {
    kind: "found",
    requestUrl: requestUrl.href,
    client: { id: textOf(client.client_id, 512), name: textOf(client.client_name, 256) },
    subject: subject === "" ? undefined : subject,
    prompts: wordsOf(asked.get("prompt")),
    maxAgeMs: /^\d{1,9}$/.test(maxAge) ? Number(maxAge) * 1000 : undefined,
    level: levelOf(listOf(context.acr_values) ?? wordsOf(asked.get("acr_values"))),
    loginHint: textOf(context.login_hint ?? asked.get("login_hint"), 320) || undefined,
  };
}

function readGoOn(body: JsonObject, settings: OAuth2ServerSettings): GoOnAt | string {
  const url = ownUrl(body.redirect_to, settings);
  if (url === undefined) return "redirect_to is not at tenant_defaults.oauth2_provider.public_url";
  return { kind: "answered", url: url.href };
}

/** Whether an answer says that it is about another challenge. */
function isOther({ challenge }: JsonObject, asked: string): boolean {
  return challenge !== undefined && challenge !== asked;
}

/** An address at the OAuth2 server itself. */
function ownUrl(text: JsonValue | undefined, { publicOrigin }: OAuth2ServerSettings): URL | undefined {
  if (typeof text !== "string" || text.length > maxUrlLength) return undefined;
  const url = URL.parse(text);
  return url?.origin === publicOrigin && url.username === "" && url.password === "" ? url : undefined;
}

/** The first one that is a level of this server: they come in the order of preference. */
function levelOf(values: readonly JsonValue[]): OAuth2LoginRequest["level"] {
  return values.find((value) => value === "aal1" || value === "aal2");
}

function wordsOf(text: string | null): readonly string[] {
  return (text ?? "").split(" ").filter((word) => word !== "");
}

function textOf(value: JsonValue | undefined, maxLength: number): string {
  return typeof value === "string" && value.length <= maxLength ? value : "";
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] | undefined {
  return Array.isArray(value) ? value : undefined;
}
