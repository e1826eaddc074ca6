import { domainError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import type { MethodKind } from "../method/method.ts";
import type { Clock, FormTokens, Tokens } from "../ports.ts";
import { Secret } from "../secret.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { CreatedFlow, Flow, FlowCaller, FlowClient, FlowKind, FlowRecord } from "./flow.ts";
import type { Form, Node } from "./form.ts";
import { resolveReturnTo } from "./return-to.ts";
import type { FlowStore } from "./store.ts";

/** What a kind of flow adds to the rules that all flows share. */
export interface FlowShape {
  readonly kind: FlowKind;
  lifetimeMs(tenant: Tenant): number;
  methods(tenant: Tenant): readonly MethodKind[];
  /** The nodes of the empty form, without the form token. */
  nodes(tenant: Tenant, data: JsonObject): readonly Node[];
}

interface FlowKeeperDependencies {
  readonly flows: FlowStore;
  readonly tokens: Tokens;
  readonly formTokens: FormTokens;
  readonly clock: Clock;
}

/** How far a flow has come when its holder turns up with it. */
export type HeldFlow =
  | { readonly kind: "active"; readonly record: FlowRecord }
  | { readonly kind: "completed"; readonly record: FlowRecord }
  | { readonly kind: "expired"; readonly record: FlowRecord };

/**
 * The rules that flows of all kinds share: how they begin, who holds them, when they end, and what their holder
 * sees of them.
 */
export class FlowKeeper {
  readonly #flows: FlowStore;
  readonly #tokens: Tokens;
  readonly #formTokens: FormTokens;
  readonly #clock: Clock;

  constructor({ flows, tokens, formTokens, clock }: FlowKeeperDependencies) {
    this.#flows = flows;
    this.#tokens = tokens;
    this.#formTokens = formTokens;
    this.#clock = clock;
  }

  /** Begins a flow. A browser that has no browser token yet gets one to keep as a cookie. One round trip. */
  async create(
    caller: FlowCaller,
    shape: FlowShape,
    start: { readonly client: FlowClient; readonly returnTo: string | undefined; readonly data: JsonObject },
  ): Promise<CreatedFlow> {
    const { tenant } = caller;
    const returnTo = resolveReturnTo(start.returnTo, tenant.settings);
    const browser = start.client === "browser" ? this.#browserOf(caller) : undefined;
    const id = this.#tokens.issue("flow", tenant.name);
    const createdAt = this.#clock.now();
    const record: FlowRecord = {
      digest: id.digest,
      kind: shape.kind,
      client: start.client,
      state: "active",
      createdAt,
      expiresAt: new Date(createdAt.getTime() + shape.lifetimeMs(tenant)),
      returnTo,
      browserDigest: browser?.digest,
      identityId: undefined,
      data: start.data,
    };
    await this.#flows.create({ tenantId: tenant.id }, record);
    return {
      flow: this.present(tenant, shape, id.token, record, browser?.token),
      newBrowserToken: browser?.isNew === true ? browser.token : undefined,
    };
  }

  /** Begins a fresh flow in place of an expired one. */
  async replace(caller: FlowCaller, shape: FlowShape, expired: FlowRecord): Promise<CreatedFlow> {
    const { client, returnTo, data } = expired;
    return this.create(caller, shape, { client, returnTo, data });
  }

  /** The digest of a flow's id. Throws FLOW_NOT_FOUND for anything that cannot be one. */
  digestOf(tenant: Tenant, flowId: string): Uint8Array {
    const parsed = this.#tokens.parse("flow", flowId);
    if (parsed.kind !== "valid" || parsed.tenantName !== tenant.name) throw domainError("FLOW_NOT_FOUND", {});
    return parsed.digest;
  }

  /**
   * Checks that the caller holds the flow, and says how far it has come. The order matters: before the caller has
   * shown the cookie of a browser flow, nothing of it is told, not even that it has expired.
   */
  hold(caller: FlowCaller, record: FlowRecord | undefined): HeldFlow {
    if (record === undefined) throw domainError("FLOW_NOT_FOUND", {});
    if (record.client === "browser") this.#assertSameBrowser(caller, record);
    if (record.state === "completed") return { kind: "completed", record };
    return { kind: record.expiresAt <= this.#clock.now() ? "expired" : "active", record };
  }

  /** Checks the form token of a browser flow; a native flow has none, and what is sent for it is ignored. */
  assertFormToken(caller: FlowCaller, record: FlowRecord, flowId: string, csrfToken: string): void {
    if (record.client !== "browser") return;
    if (csrfToken === "") throw domainError("CSRF_TOKEN_MISSING", {});
    // Cookie and form token together show that the form was drawn for this browser (ASVS V3.5.1).
    const matches =
      caller.browserToken !== undefined && this.#formTokens.matches(csrfToken, caller.browserToken, flowId);
    if (!matches) throw domainError("CSRF_TOKEN_INVALID", {});
  }

  /** The flow as its holder sees it, with an empty form unless another one is given. */
  present(
    tenant: Tenant,
    shape: FlowShape,
    id: Secret,
    record: FlowRecord,
    browserToken: Secret | undefined,
    form?: Form,
  ): Flow {
    const active = record.state === "active";
    const csrfToken =
      active && record.client === "browser" && browserToken !== undefined
        ? this.#formTokens.make(browserToken.reveal(), id.reveal())
        : undefined;
    const drawn = form ?? { nodes: active ? shape.nodes(tenant, record.data) : [], messages: [] };
    const nodes = csrfToken === undefined ? drawn.nodes : [csrfNode(csrfToken), ...drawn.nodes];
    return {
      id,
      kind: record.kind,
      client: record.client,
      state: record.state,
      createdAt: record.createdAt,
      expiresAt: record.expiresAt,
      returnTo: record.returnTo,
      methods: active ? shape.methods(tenant) : [],
      form: { nodes, messages: drawn.messages },
      csrfToken,
    };
  }

  /** As `present`, for a call that came with the flow's id and the browser's own cookie. */
  presentTo(caller: FlowCaller, shape: FlowShape, flowId: string, record: FlowRecord, form?: Form): Flow {
    const browserToken = caller.browserToken === undefined ? undefined : new Secret(caller.browserToken);
    return this.present(caller.tenant, shape, new Secret(flowId), record, browserToken, form);
  }

  /** A browser keeps one token for all its flows, so that two tabs do not shut each other out. */
  #browserOf(caller: FlowCaller): { token: Secret; digest: Uint8Array; isNew: boolean } {
    caller.assertOriginAllowed();
    if (caller.browserToken !== undefined) {
      const parsed = this.#tokens.parse("browser", caller.browserToken);
      if (parsed.kind === "valid" && parsed.tenantName === caller.tenant.name) {
        return { token: new Secret(caller.browserToken), digest: parsed.digest, isNew: false };
      }
    }
    return { ...this.#tokens.issue("browser", caller.tenant.name), isNew: true };
  }

  #assertSameBrowser(caller: FlowCaller, record: FlowRecord): void {
    const parsed =
      caller.browserToken === undefined ? undefined : this.#tokens.parse("browser", caller.browserToken);
    if (parsed?.kind !== "valid" || !equalBytes(parsed.digest, record.browserDigest)) {
      const missing =
        caller.browserToken === undefined ? "browser cookie" : "the browser cookie of this flow";
      throw domainError("FLOW_CLIENT_MISMATCH", { missing });
    }
    caller.assertOriginAllowed();
  }
}

function csrfNode(csrfToken: Secret): Node {
  return {
    name: "csrfToken",
    group: "default",
    messages: [],
    element: { kind: "input", type: "hidden", value: csrfToken.reveal(), required: true },
  };
}

// Of digests, not of secrets: how long the comparison takes tells nothing about a value that hashes to one.
function equalBytes(left: Uint8Array, right: Uint8Array | undefined): boolean {
  return (
    right !== undefined && left.length === right.length && left.every((byte, index) => byte === right[index])
  );
}
