import { isSameBytes } from "../../bytes.ts";
import { domainError } from "../../errors.ts";
import type { FlowClient } from "../../kinds.ts";
import type { Clock, FormTokens, Tokens } from "../../ports.ts";
import { Secret } from "../../secret.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { FlowCaller, FlowRecord } from "./flow.ts";

interface FlowAccessDependencies {
  readonly tokens: Tokens;
  readonly formTokens: FormTokens;
  readonly clock: Clock;
}

/** How far a flow has come when its holder turns up with it. */
export type HeldFlow =
  | { readonly kind: "active"; readonly record: FlowRecord }
  | { readonly kind: "completed"; readonly record: FlowRecord }
  | { readonly kind: "expired"; readonly record: FlowRecord };

/** Who holds a flow: by its id, and in a browser by a cookie and a form token as well. */
export class FlowAccess {
  readonly #deps: FlowAccessDependencies;

  constructor(deps: FlowAccessDependencies) {
    this.#deps = deps;
  }

  /** The digest of a flow's id. Throws FLOW_NOT_FOUND for anything that cannot be one. */
  digestOf(tenant: Tenant, flowId: string): Uint8Array {
    const parsed = this.#deps.tokens.parse("flow", flowId);
    if (parsed.kind !== "valid" || parsed.tenantName !== tenant.name) throw domainError("FLOW_NOT_FOUND", {});
    return parsed.digest;
  }

  /**
   * Checks that the call may be made for a client of that kind; before anything else is looked at.
   *
   * Security rule (SR-FLOW-3): a page goes on with browser flows alone. The id of a native flow is all that its holder shows, so a page
   * that took one from its address would fill in whatever flow somebody else began and sent a link to.
   */
  assertClient(caller: FlowCaller, client: FlowClient): void {
    if (client === "browser") caller.assertOriginAllowed();
    else caller.assertNotFromPage();
  }

  /**
   * Checks that the caller holds the flow, and says how far it has come. The order matters: before the caller has
   * shown the cookie of a browser flow, nothing of it is told, not even that it has expired.
   */
  hold(caller: FlowCaller, record: FlowRecord | undefined): HeldFlow {
    if (record === undefined) throw domainError("FLOW_NOT_FOUND", {});
    if (record.client === "browser") this.#assertSameBrowser(caller, record);
    this.assertClient(caller, record.client);
    if (record.state === "completed") return { kind: "completed", record };
    return { kind: record.expiresAt <= this.#deps.clock.now() ? "expired" : "active", record };
  }

  /** Checks the form token of a browser flow; a native flow has none, and what is sent for it is ignored. */
  assertFormToken(caller: FlowCaller, record: FlowRecord, flowId: string, csrfToken: string): void {
    if (record.client !== "browser") return;
    if (csrfToken === "") throw domainError("CSRF_TOKEN_MISSING", {});
    // Cookie and form token together show that the form was drawn for this browser (ASVS V3.5.1).
    const matches =
      caller.browserToken !== undefined &&
      this.#deps.formTokens.matches(csrfToken, caller.browserToken, flowId);
    if (!matches) throw domainError("CSRF_TOKEN_INVALID", {});
  }

  /** The form token of a browser flow. */
  formTokenOf({ client }: FlowRecord, id: Secret, browserToken: Secret | undefined): Secret | undefined {
    if (client !== "browser" || browserToken === undefined) return undefined;
    return this.#deps.formTokens.make(browserToken.reveal(), id.reveal());
  }

  /** The form token of a flow for the browser that calls, whatever flow it is; undefined if it shows no cookie. */
  formTokenOfBrowser({ browserToken }: FlowCaller, flowId: string): Secret | undefined {
    return browserToken === undefined ? undefined : this.#deps.formTokens.make(browserToken, flowId);
  }

  /** A browser keeps one token for all its flows, so that two tabs do not shut each other out. */
  browserOf(caller: FlowCaller): { token: Secret; digest: Uint8Array; isNew: boolean } {
    if (caller.browserToken !== undefined) {
      const parsed = this.#deps.tokens.parse("browser", caller.browserToken);
      if (parsed.kind === "valid" && parsed.tenantName === caller.tenant.name) {
        return { token: new Secret(caller.browserToken), digest: parsed.digest, isNew: false };
      }
    }
    return { ...this.#deps.tokens.issue("browser", caller.tenant.name), isNew: true };
  }

  /** Whether the caller shows the cookie that a browser flow is bound to. */
  isBrowserOf({ browserToken }: FlowCaller, { browserDigest }: FlowRecord): boolean {
    const parsed = browserToken === undefined ? undefined : this.#deps.tokens.parse("browser", browserToken);
    return (
      parsed?.kind === "valid" && browserDigest !== undefined && isSameBytes(parsed.digest, browserDigest)
    );
  }

  #assertSameBrowser(caller: FlowCaller, record: FlowRecord): void {
    if (this.isBrowserOf(caller, record)) return;
    const missing = caller.browserToken === undefined ? "browser cookie" : "the browser cookie of this flow";
    throw domainError("FLOW_CLIENT_MISMATCH", { missing });
  }
}
