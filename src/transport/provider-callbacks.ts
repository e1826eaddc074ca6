/** Where providers send browsers back to: `/oidc/callback/<provider>`. */
import { RateClass } from "../../gen/ostiary/option/v1/option_pb.js";
import { DomainError } from "../domain/errors.ts";
import type { ProviderCallbacks } from "../domain/flow/provider-callbacks.ts";
import type { Flow } from "../domain/flow/shared/flow.ts";
import type { FlowKind } from "../domain/kinds.ts";
import type { Tenant } from "../domain/tenant/tenant.ts";
import { asOwnNavigation } from "./net/navigation.ts";
import { respondProviderError } from "./pages/provider-error.ts";
import { Call } from "./rpc/call.ts";
import type { Pipeline } from "./rpc/pipeline.ts";
import { acceptForm, type FreshForm } from "./rpc/services/flow-answer.ts";

/** The largest answer of a provider that is read, in bytes; with a query the limit of headers comes first. */
const maxAnswerBytes = 16 * 1024;

const prefix = "/oidc/callback/";
const route = {
  name: "/oidc/callback",
  access: { kind: "flow", withSession: true },
  rateClass: RateClass.FLOW_SUBMIT,
  maxRequestBytes: maxAnswerBytes,
} as const;
/** The parameter that has what a provider posted. */
const handleParameter = "received";

interface ProviderCallbackPagesDependencies {
  readonly callbacks: ProviderCallbacks;
  readonly pipeline: Pipeline;
}

/** Takes browsers that come back from a provider, and leads them on. */
export class ProviderCallbackPages {
  readonly #deps: ProviderCallbackPagesDependencies;

  constructor(deps: ProviderCallbackPagesDependencies) {
    this.#deps = deps;
  }

  has(path: string): boolean {
    return path.startsWith(prefix) && path.length > prefix.length;
  }

  readonly name = route.name;
  readonly methods = ["GET", "POST"];

  async serve(call: Call): Promise<unknown> {
    const { exchange } = call;
    try {
      if (exchange.method === "POST") await this.#receive(call);
      else await this.#take(call);
      return undefined;
    } catch (error) {
      const { reason } = error instanceof DomainError ? error : { reason: "INTERNAL" as const };
      const { login } = call.tenant.settings.uiUrls;
      respondProviderError(exchange, call.headers, call.tenant.settings, { reason, startAgain: login });
      return error;
    }
  }

  /** What a provider posts from its own page (`form_post`): our own page takes it. */
  async #receive(call: Call): Promise<void> {
    const { callbacks, pipeline } = this.#deps;
    await pipeline.admit(call, { ...route, access: { kind: "anyone", withSession: false } });
    const body = await call.exchange.readBody({ maxBytes: maxAnswerBytes });
    const handle = callbacks.handleOf(providerIn(call), Buffer.from(body).toString("utf8"));
    // Security rule (SR-SOCIAL-6): the handle alone; code and state stay out of the address.
    const query = new URLSearchParams({ [handleParameter]: handle });
    leadOn(call, `${call.tenant.settings.publicUrl}${call.exchange.path}?${query}`);
  }

  async #take({ id, exchange, tenant, clientIp, headers }: Call): Promise<void> {
    const { callbacks, pipeline } = this.#deps;
    // Security rule (SR-SOCIAL-4): the browser was led here by another site. `state` and cookie say whose answer it is.
    const navigation = asOwnNavigation(exchange);
    const call = new Call({ exchange: navigation, tenant, clientIp, headers, forwardingKey: undefined }, id);
    await pipeline.admit(call, route);
    const provider = providerIn(call);
    const handle = new URLSearchParams(call.exchange.query).get(handleParameter);
    const query = handle === null ? call.exchange.query : (callbacks.queryOf(provider, handle) ?? "");
    const taken = await callbacks.take(call, provider, query);
    if (taken.kind === "app") return leadOn(call, taken.url);
    const { form } = taken;
    if (form.outcome.kind === "answered") throw new Error("a callback has no request id");
    leadOn(call, await this.#locationAfter(call, form as FreshForm));
  }

  /** Sets the cookies of an outcome, and gives the page that goes on with it. */
  async #locationAfter(call: Call, form: FreshForm): Promise<string> {
    const { settings } = call.tenant;
    const { flow, isForSettings, returnTo } = await acceptForm(call, form);
    if (flow !== undefined) return pageOf(call.tenant, flow);
    if (isForSettings && settings.uiUrls.settings) return settings.uiUrls.settings;
    return returnTo || settings.defaultReturnUrl || settings.uiUrls.settings || settings.publicUrl;
  }
}

/** The id of the provider in the path. */
function providerIn({ exchange }: Call): string {
  return exchange.path.slice(prefix.length);
}

/** The page of a flow, which finds the flow in the fragment: no server gets to see it. */
function pageOf({ settings }: Tenant, { kind, id }: Flow): string {
  const page: string | undefined = settings.uiUrls[kind satisfies FlowKind];
  return `${page ?? settings.publicUrl}#flow=${encodeURIComponent(id.reveal())}`;
}

function leadOn(call: Call, location: string): void {
  call.completeHeaders();
  const { headers } = call;
  headers.location = location;
  headers["cache-control"] = "no-store";
  // What is in the address goes to nobody.
  headers["referrer-policy"] = "no-referrer";
  call.exchange.respond({ status: 303, headers });
}
