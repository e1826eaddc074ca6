/** What proxies ask by HTTP before they let a request through to an application: docs/forward-auth.md. */
import { RateClass } from "../../gen/ostiary/option/v1/option_pb.js";
import { domainError } from "../domain/errors.ts";
import type { ForwardAuth, ForwardAuthVerdict } from "../domain/forward-auth/forward-auth.ts";
import type { ForwardedRequest } from "../domain/forward-auth/target.ts";
import type { Exchange } from "./net/exchange.ts";
import type { Call } from "./rpc/call.ts";
import { toConnectError } from "./rpc/errors.ts";
import type { Pipeline } from "./rpc/pipeline.ts";
import { isNavigation, shownCredential, tokenHeader } from "./rpc/shown-credential.ts";
import { connectPost } from "./rpc/unary/connect-wire.ts";

/** For proxies that pass whatever is answered on to the client: Traefik, Caddy. */
const passingPath = "/forward-auth";
/** For nginx, which takes 401 and 403 alone: the login is named in a header. */
const statusPath = "/auth-request";
/** Where to send a person to, in answers at `statusPath`. */
const loginUrlHeader = "ostiary-login-url";

const route = {
  name: "/forward-auth",
  access: { kind: "anyone", withSession: false },
  rateClass: RateClass.CHECK,
  maxRequestBytes: 0,
} as const;

interface ForwardAuthPagesDependencies {
  readonly forwardAuth: ForwardAuth;
  readonly pipeline: Pipeline;
}

/** Answers Traefik, Caddy and nginx. Only proxies that the listener believes come this far. */
export class ForwardAuthPages {
  readonly #deps: ForwardAuthPagesDependencies;

  constructor(deps: ForwardAuthPagesDependencies) {
    this.#deps = deps;
  }

  readonly name = route.name;
  readonly methods = ["GET", "HEAD"];
  readonly quiet = true;

  has(path: string): boolean {
    return path === passingPath || path === statusPath;
  }

  async serve(call: Call): Promise<unknown> {
    const { exchange, headers, tenant } = call;
    try {
      await this.#deps.pipeline.admit(call, route);
      const asked = readAsked(exchange);
      const verdict = await this.#deps.forwardAuth.decide(tenant, {
        ...asked,
        credential: () => shownCredential(exchange, tenant),
        isNavigation: isNavigation(asked.method, exchange),
      });
      return this.#answer(call, verdict);
    } catch (error) {
      connectPost.json.fail(exchange, { headers, trailers: {} }, toConnectError(error, call.id));
      return error;
    }
  }

  #answer({ exchange, headers, id }: Call, verdict: ForwardAuthVerdict): unknown {
    if (verdict.kind === "allowed") {
      if (verdict.token !== undefined) headers[tokenHeader] = verdict.token;
      exchange.respond({ status: 200, headers });
      return undefined;
    }
    const { error, loginUrl } = verdict;
    if (loginUrl !== undefined && exchange.path === passingPath) {
      headers.location = loginUrl;
      exchange.respond({ status: 302, headers });
      return error;
    }
    if (loginUrl !== undefined) headers[loginUrlHeader] = loginUrl;
    connectPost.json.fail(exchange, { headers, trailers: {} }, toConnectError(error, id));
    return error;
  }
}

/**
 * Security rule (SR-FORWARD-5): each of these is there once. Of two, one may be the client's, which the proxy has added its own to. Only the URI
 * may hold a comma.
 */
function readAsked(exchange: Exchange): ForwardedRequest {
  const once = (header: string) => {
    const value = exchange.header(header);
    const isOne =
      exchange.headerCount(header) === 1 && (header === "x-forwarded-uri" || !value?.includes(","));
    if (value === undefined || !isOne) throw domainError("FORWARD_AUTH_REQUEST_UNCLEAR", { header });
    return value;
  };
  return {
    method: once("x-forwarded-method"),
    scheme: once("x-forwarded-proto"),
    host: once("x-forwarded-host"),
    uri: once("x-forwarded-uri"),
  };
}
