/** Where providers tell of logouts by themselves: `/oidc/logout/<provider>`. */
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { RateClass } from "../../gen/ostiary/option/v1/option_pb.js";
import { DomainError } from "../domain/errors.ts";
import type { ProviderLogouts } from "../domain/method/oidc/provider-logouts.ts";
import { respondJson } from "./pages/json.ts";
import type { Call } from "./rpc/call.ts";
import { retryAfterSeconds, toConnectError } from "./rpc/errors.ts";
import type { Pipeline } from "./rpc/pipeline.ts";

const prefix = "/oidc/logout/";
/** A logout token is small: about a kilobyte, most of it the signature. */
const maxRequestBytes = 16 * 1024;
const route = {
  name: "/oidc/logout",
  access: { kind: "anyone", withSession: false },
  rateClass: RateClass.FLOW_SUBMIT,
  maxRequestBytes,
} as const;

interface ProviderLogoutPagesDependencies {
  readonly logouts: ProviderLogouts;
  readonly pipeline: Pipeline;
}

/** Takes logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.5), and answers as section 2.8 says. */
export class ProviderLogoutPages {
  readonly #deps: ProviderLogoutPagesDependencies;

  constructor(deps: ProviderLogoutPagesDependencies) {
    this.#deps = deps;
  }

  readonly name = route.name;
  readonly methods = ["POST"];

  has(path: string): boolean {
    return path.startsWith(prefix) && path.length > prefix.length;
  }

  async serve(call: Call): Promise<unknown> {
    const { exchange, headers } = call;
    headers["cache-control"] = "no-store";
    try {
      await this.#deps.pipeline.admit(call, route);
      const isTaken = await this.#take(call);
      if (isTaken) exchange.respond({ status: 200, headers });
      else respondJson(exchange, headers, 400, refusal);
      return undefined;
    } catch (error) {
      this.#fail(call, error);
      return error;
    }
  }

  async #take(call: Call): Promise<boolean> {
    const { exchange, tenant, origin } = call;
    const [type] = (exchange.header("content-type") ?? "").toLowerCase().split(";");
    if (type?.trim() !== "application/x-www-form-urlencoded") return false;
    const body = await exchange.readBody({ maxBytes: maxRequestBytes });
    const form = new URLSearchParams(Buffer.from(body).toString("utf8"));
    const [token, ...others] = form.getAll("logout_token");
    if (token === undefined || others.length > 0) return false;
    return this.#deps.logouts.take(tenant, origin, exchange.path.slice(prefix.length), token);
  }

  /** What the server could not do at all: the provider may try again. */
  #fail(call: Call, error: unknown): void {
    const { exchange, headers } = call;
    const isTooLarge = error instanceof DomainError && error.reason === "REQUEST_TOO_LARGE";
    if (isTooLarge) respondJson(exchange, headers, 400, refusal);
    if (isTooLarge) return;
    const failed = toConnectError(error, call.id);
    const retryAfter = retryAfterSeconds(failed);
    if (retryAfter !== undefined) headers["retry-after"] = String(retryAfter);
    const answer = { error: "temporarily_unavailable", error_description: failed.rawMessage };
    respondJson(exchange, headers, codeToHttpStatus(failed.code), answer);
  }
}

/** Security rule (SR-OIDC-22): the same for every token that is not taken, so that nobody learns anything by trying. */
const refusal = { error: "invalid_request", error_description: "The logout token was not accepted." };
