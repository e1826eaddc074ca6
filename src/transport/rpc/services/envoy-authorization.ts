import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJson } from "@connectrpc/connect/protocol-connect";
import {
  type AttributeContext_HttpRequest,
  type CheckRequest,
  type CheckResponseSchema,
  type Authorization as Contract,
  HeaderValueOption_HeaderAppendAction as HeaderAppendAction,
  type HeaderValueOptionSchema,
} from "../../../../gen/envoy/service/auth/v3/external_auth_pb.js";
import { domainError } from "../../../domain/errors.ts";
import type { ForwardAuth } from "../../../domain/forward-auth/forward-auth.ts";
import type { Tenant } from "../../../domain/tenant/tenant.ts";
import { withoutSessionCookie } from "../../net/session-cookies.ts";
import { callOf } from "../call.ts";
import { toConnectError } from "../errors.ts";
import { type HeaderSource, isNavigation, shownCredential, tokenHeader } from "../shown-credential.ts";

type Answer = MessageInitShape<typeof CheckResponseSchema>;
type HeaderOption = MessageInitShape<typeof HeaderValueOptionSchema>;

interface Deps {
  readonly forwardAuth: ForwardAuth;
}

/** envoy.service.auth.v3.Authorization. */
export class EnvoyAuthorization implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async check({ attributes }: CheckRequest, context: HandlerContext): Promise<Answer> {
    const call = callOf(context);
    const { tenant } = call;
    const http = attributes?.request?.http;
    if (http === undefined) throw domainError("FORWARD_AUTH_REQUEST_UNCLEAR", { header: "request.http" });
    const { address } = attributes?.source?.address ?? {};
    if (address?.case === "socketAddress") call.clientIp = address.value.address;
    const headers = new SentHeaders(http);
    const verdict = await this.#deps.forwardAuth.decide(tenant, {
      method: http.method,
      scheme: http.scheme,
      host: http.host,
      uri: http.path,
      credential: () => shownCredential(headers, tenant),
      isNavigation: isNavigation(http.method, headers),
    });
    if (verdict.kind === "allowed") return allowed(headers, tenant, verdict.token);
    const { error, loginUrl } = verdict;
    const failed = toConnectError(error, call.id);
    if (loginUrl !== undefined) return denied(failed.code, 302, [set("location", loginUrl)], "");
    const body = JSON.stringify(errorToJson(failed, undefined));
    return denied(
      failed.code,
      codeToHttpStatus(failed.code),
      [set("content-type", "application/json")],
      body,
    );
  }
}

/** The headers of the request that Envoy asks about. */
class SentHeaders implements HeaderSource {
  readonly #values = new Map<string, string[]>();

  constructor({ headers, headerMap }: AttributeContext_HttpRequest) {
    for (const [name, value] of Object.entries(headers)) this.#add(name, value);
    for (const { key, value, rawValue } of headerMap?.headers ?? []) {
      this.#add(key, value === "" ? Buffer.from(rawValue).toString("latin1") : value);
    }
  }

  header(name: string): string | undefined {
    return this.#values.get(name)?.join(name === "cookie" ? "; " : ", ");
  }

  headerCount(name: string): number {
    return this.#values.get(name)?.length ?? 0;
  }

  #add(name: string, value: string): void {
    const key = name.toLowerCase();
    this.#values.set(key, [...(this.#values.get(key) ?? []), value]);
  }
}

/**
 * Security rule (SR-FORWARD-7): the application gets the token and neither the session's own secret, with which it could act as its users
 * elsewhere, nor a token that the client has written. Some applications take `_` and `-` in the names of headers as the same.
 */
function allowed(headers: SentHeaders, tenant: Tenant, token: string | undefined): Answer {
  const removed = [tokenHeader.replaceAll("-", "_")];
  const changed: HeaderOption[] = [];
  if (token === undefined) removed.push(tokenHeader);
  else changed.push(set(tokenHeader, token));
  if (/^bearer +ost_/i.test(headers.header("authorization") ?? "")) removed.push("authorization");
  const cookies = headers.header("cookie");
  const others = cookies === undefined ? undefined : withoutSessionCookie(cookies, tenant);
  if (others === "") removed.push("cookie");
  else if (others !== undefined && others !== cookies) changed.push(set("cookie", others));
  return {
    status: { code: 0 },
    httpResponse: { case: "okResponse", value: { headers: changed, headersToRemove: removed } },
  };
}

function denied(code: number, status: number, headers: HeaderOption[], body: string): Answer {
  return {
    status: { code },
    httpResponse: {
      case: "deniedResponse",
      value: { status: { code: status }, headers: [set("cache-control", "no-store"), ...headers], body },
    },
  };
}

function set(key: string, value: string): HeaderOption {
  return {
    header: { key, value },
    append: false,
    appendAction: HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
  };
}
