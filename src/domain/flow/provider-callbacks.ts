import { domainError } from "../errors.ts";
import type { Clock, Sealer } from "../ports.ts";
import {
  openCallback,
  openState,
  type ProviderState,
  ReceivedCallback,
  sealCallback,
} from "../provider/callback.ts";
import type { AnyFlows, FormOutcome } from "./any-flows.ts";
import type { FlowCaller } from "./shared/flow.ts";

/** What came of a browser that came back from a provider. */
export type CallbackOutcome =
  /** It goes on in an app, which hands in what came back. */
  | { readonly kind: "app"; readonly url: string }
  /** The flow has taken the step. */
  | { readonly kind: "flow"; readonly form: FormOutcome };

/** The parameter by which a native client gets the exchange code. */
const exchangeParameter = "exchange_code";

interface ProviderCallbacksDependencies {
  readonly sealer: Sealer;
  readonly flows: Pick<AnyFlows, "takeCallback">;
  readonly clock: Clock;
}

/** Browsers that come back from a provider. */
export class ProviderCallbacks {
  readonly #deps: ProviderCallbacksDependencies;

  constructor(deps: ProviderCallbacksDependencies) {
    this.#deps = deps;
  }

  /**
   * Takes what came back on the path of a provider. Throws FLOW_NOT_FOUND, FLOW_CLIENT_MISMATCH, FLOW_COMPLETED and what the step of
   * the flow throws.
   */
  async take(caller: FlowCaller, provider: string, query: string): Promise<CallbackOutcome> {
    const state = this.#stateOf(provider, query);
    const callback = new ReceivedCallback(provider, query);
    if (state.client === "native") return { kind: "app", url: this.#toApp(state, callback) };
    return { kind: "flow", form: await this.#deps.flows.takeCallback(caller, state.flow, callback) };
  }

  /**
   * What a provider posted from its own page, for our own page to take.
   *
   * Security rule (SR-SOCIAL-6): a POST from another site has no cookie that is Lax, so nothing can be compared there. What it holds is sealed
   * into a handle that is good for a minute. Nothing is stored for a stranger, and only at our own page is the cookie compared.
   */
  handleOf(provider: string, query: string): string {
    this.#stateOf(provider, query);
    const { sealer, clock } = this.#deps;
    return sealCallback(sealer, "handle", new ReceivedCallback(provider, query), clock.now());
  }

  /** What a handle stands for; undefined if it is none of this provider, or too old. */
  queryOf(provider: string, handle: string): string | undefined {
    const { sealer, clock } = this.#deps;
    const callback = openCallback(sealer, "handle", handle, clock.now());
    return callback?.provider === provider ? callback.query : undefined;
  }

  /**
   * Throws FLOW_NOT_FOUND. Security rule (SR-SOCIAL-1): a `state` that this server has not made, or made for another provider, leads to no
   * flow.
   */
  #stateOf(provider: string, query: string): ProviderState {
    const state = openState(this.#deps.sealer, new URLSearchParams(query).get("state") ?? "");
    if (state === undefined || state.provider !== provider) throw domainError("FLOW_NOT_FOUND", {});
    return state;
  }

  /**
   * Security rule (SR-SOCIAL-7): what leads the app on is good only together with the id of the flow, which the app alone has. A browser that
   * was lured to finish somebody else's login gives them nothing.
   */
  #toApp({ returnUrl }: ProviderState, callback: ReceivedCallback): string {
    const { sealer, clock } = this.#deps;
    const code = sealCallback(sealer, "exchange", callback, clock.now());
    const mark = returnUrl.includes("?") ? "&" : "?";
    return `${returnUrl}${mark}${exchangeParameter}=${encodeURIComponent(code)}`;
  }
}
