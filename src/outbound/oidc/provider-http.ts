import { isObject, type JsonObject, type JsonValue } from "../../domain/json.ts";
import type { OutgoingHttp, OutgoingRequest } from "../../domain/ports.ts";
import { invalid, ProviderProblem } from "./provider-problem.ts";

/** The largest answer of a provider that is read. */
const maxAnswerBytes = 256 * 1024;
/** Deeper ones are nobody's, and cost those who walk over them. */
const maxDepth = 32;

/** A JSON answer with any status that is no redirect and no failure of the server. */
export interface ProviderHttpAnswer {
  readonly status: number;
  readonly body: JsonValue;
}

/**
 * Asks an endpoint of a provider for JSON. `what` names the endpoint in problems. Throws ProviderProblem or OutgoingHttpError.
 *
 * Security rule (SR-OIDC-5): endpoints answer themselves. A redirect is not followed, since codes, secrets and tokens are for
 * the endpoint alone, and keys from elsewhere are not the provider's. Discovery may redirect: its document says whose it is.
 */
export async function askProvider(
  http: OutgoingHttp,
  what: string,
  url: string,
  request: OutgoingRequest & { readonly timeoutMs: number },
): Promise<ProviderHttpAnswer> {
  const response = await http.fetch(url, {
    followsRedirects: false,
    ...request,
    headers: { accept: "application/json", ...request.headers },
    maxResponseBytes: maxAnswerBytes,
  });
  const { status } = response;
  if (status >= 300 && status < 400) {
    await response.body?.cancel();
    throw invalid(`${what} redirects`);
  }
  if (status >= 500 || status === 429) {
    await response.body?.cancel();
    throw new ProviderProblem("unavailable", `${what} answered with status ${status}`);
  }
  return { status, body: readJson(what, await response.text()) };
}

/** The object of an answer with status 200. */
export function objectOf(what: string, { status, body }: ProviderHttpAnswer): JsonObject {
  if (status !== 200) throw invalid(`${what} answered with status ${status}`);
  if (!isObject(body)) throw invalid(`${what} answered with what is no JSON object`);
  return body;
}

function readJson(what: string, text: string): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    throw invalid(`${what} answered with what is no JSON`);
  }
  if (isDeeperThan(value, maxDepth)) throw invalid(`${what} answered with JSON that is too deep`);
  return value;
}

/** Whether lists and objects are nested more often than that. */
export function isDeeperThan(value: JsonValue, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((member) => isDeeperThan(member, depth - 1));
}
