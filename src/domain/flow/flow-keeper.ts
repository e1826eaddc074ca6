import type { SealedMessage } from "../courier/outbox.ts";
import { domainError } from "../errors.ts";
import type { IdentityId } from "../ids.ts";
import type { StepRejected } from "../method/method.ts";
import type { Clock, FormTokens, Tokens } from "../ports.ts";
import { Secret } from "../secret.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type {
  CreatedFlow,
  Flow,
  FlowAccount,
  FlowCaller,
  FlowClient,
  FlowData,
  FlowFound,
  FlowKind,
  FlowOutcome,
  FlowRecord,
  FlowStage,
} from "./flow.ts";
import { type Form, type Node, withImportance, withProblems } from "./form.ts";
import { resolveReturnTo } from "./return-to.ts";
import { stageTexts } from "./stage-texts.ts";
import type { FlowStore } from "./store.ts";

/** What a kind of flow adds to the rules that all flows share. */
export interface FlowShape {
  readonly kind: FlowKind;
  lifetimeMs(tenant: Tenant): number;
  /** Where an active flow stands. */
  stage(tenant: Tenant, flow: FlowRecord): FlowStage;
  /** The form of an active flow, without the form token. */
  form(tenant: Tenant, flow: FlowRecord): Form;
  /** Whose account the flow changes, where its holder is shown that. */
  account?(flow: FlowRecord): FlowAccount | undefined;
}

/** What a flow begins with. */
export interface FlowStart {
  readonly client: FlowClient;
  readonly returnTo: string | undefined;
  readonly data: FlowData;
  readonly identityId?: IdentityId | undefined;
  /** Changes the record before it is stored, for a flow that begins with something to be sent. */
  readonly prepare?: (flow: FlowRecord) => { flow: FlowRecord; messages: readonly SealedMessage[] };
}

interface FlowKeeperDependencies {
  readonly flows: FlowStore;
  readonly tokens: Tokens;
  readonly formTokens: FormTokens;
  readonly clock: Clock;
}

/** What every submit holds. */
export interface FlowSubmission {
  readonly flowId: string;
  readonly csrfToken: string;
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
  async create(caller: FlowCaller, shape: FlowShape, start: FlowStart): Promise<CreatedFlow> {
    const { record, messages, created } = this.draft(caller, shape, start);
    await this.#flows.create({ tenantId: caller.tenant.id }, record, messages);
    return created;
  }

  /** A flow that is only to be stored. Throws RETURN_TO_NOT_ALLOWED, ORIGIN_NOT_ALLOWED, FLOW_CLIENT_MISMATCH. */
  draft(
    caller: FlowCaller,
    shape: FlowShape,
    start: FlowStart,
  ): {
    readonly record: FlowRecord;
    readonly messages: readonly SealedMessage[];
    readonly created: CreatedFlow;
  } {
    const { tenant } = caller;
    this.assertClient(caller, start.client);
    const returnTo = resolveReturnTo(start.returnTo, tenant.settings);
    const browser = start.client === "browser" ? this.#browserOf(caller) : undefined;
    const id = this.#tokens.issue("flow", tenant.name);
    const createdAt = this.#clock.now();
    const { flow: record, messages } = (start.prepare ?? plain)({
      digest: id.digest,
      kind: shape.kind,
      client: start.client,
      state: "active",
      createdAt,
      expiresAt: new Date(createdAt.getTime() + shape.lifetimeMs(tenant)),
      returnTo,
      browserDigest: browser?.digest,
      identityId: start.identityId,
      revision: 0,
      challenge: undefined,
      data: { ...start.data, language: languageOf(caller) },
    });
    const flow = this.present(tenant, shape, id.token, record, browser?.token);
    return {
      record,
      messages,
      created: { flow, newBrowserToken: browser?.isNew === true ? browser.token : undefined },
    };
  }

  /**
   * Begins a fresh flow in place of an expired one. What was filled in is taken along, also what a stage before the last
   * one asked for; what was proven is not, nor any secret.
   */
  async replace(caller: FlowCaller, shape: FlowShape, expired: FlowRecord): Promise<CreatedFlow> {
    const { client, returnTo, identityId } = expired;
    const { schemaId, invitation, traits, refreshes, ofOwner, identifier, choice } = expired.data;
    const { typed } = identifier ?? choice ?? expired.data;
    const data = {
      ...(schemaId && { schemaId }),
      ...(invitation && { invitation }),
      ...(traits && { traits }),
      ...(refreshes && { refreshes }),
      ...(ofOwner && { ofOwner }),
      ...(typed && { typed }),
    };
    const isOwned = expired.kind === "settings" || refreshes !== undefined || ofOwner !== undefined;
    return this.create(caller, shape, {
      client,
      returnTo,
      data,
      identityId: isOwned ? identityId : undefined,
    });
  }

  /** A flow that was read, as its holder sees it; a fresh one in the place of one that has expired. */
  async show(caller: FlowCaller, shape: FlowShape, flowId: string, record: FlowRecord): Promise<FlowFound> {
    const held = this.hold(caller, record);
    if (held.kind === "expired") {
      return { kind: "replaced", replacement: await this.replace(caller, shape, held.record) };
    }
    return { kind: "found", flow: this.presentTo(caller, shape, flowId, held.record) };
  }

  /** The record behind a flow's id; undefined if there is none. */
  find(tenant: Tenant, kind: FlowKind, flowId: string): Promise<FlowRecord | undefined> {
    return this.#flows.find({ tenantId: tenant.id }, kind, this.digestOf(tenant, flowId));
  }

  /**
   * Lets a submit through to an active flow: whoever makes it holds the flow, and the form was drawn for them. Otherwise
   * throws, or answers that the flow has expired.
   */
  async enter(
    caller: FlowCaller,
    shape: FlowShape,
    record: FlowRecord | undefined,
    submission: FlowSubmission,
  ): Promise<
    | { readonly kind: "entered"; readonly record: FlowRecord }
    | { readonly kind: "expired"; readonly replacement: CreatedFlow }
  > {
    const held = this.hold(caller, record);
    this.assertFormToken(caller, held.record, submission.flowId, submission.csrfToken);
    if (held.kind === "completed") throw domainError("FLOW_COMPLETED", {});
    if (held.kind === "expired") {
      return { kind: "expired", replacement: await this.replace(caller, shape, held.record) };
    }
    return { kind: "entered", record: held.record };
  }

  /** The outcome of a step that leaves more to do. */
  nextStep(caller: FlowCaller, shape: FlowShape, flowId: string, record: FlowRecord): FlowOutcome<never> {
    return { kind: "next_step", flow: this.presentTo(caller, shape, flowId, record) };
  }

  /** The outcome of a step that was not accepted: the form with what is wrong with it. */
  rejected(
    caller: FlowCaller,
    shape: FlowShape,
    flowId: string,
    record: FlowRecord,
    { reason, passwordRule, problems }: StepRejected,
    nodes?: readonly Node[],
  ): FlowOutcome<never> {
    const drawn = shape.form(caller.tenant, record);
    const form = withProblems({ ...drawn, nodes: nodes ?? drawn.nodes }, problems);
    const flow = this.presentTo(caller, shape, flowId, record, form);
    return { kind: "rejected", rejection: { reason, passwordRule }, flow };
  }

  /**
   * What to tell the loser of two submits at the same moment: FLOW_CHANGED if the flow goes on with another step, else
   * FLOW_COMPLETED.
   */
  async taken(tenant: Tenant, record: FlowRecord): Promise<Error> {
    const now = await this.#flows.find({ tenantId: tenant.id }, record.kind, record.digest);
    return domainError(now?.state === "active" ? "FLOW_CHANGED" : "FLOW_COMPLETED", {});
  }

  /** The digest of a flow's id. Throws FLOW_NOT_FOUND for anything that cannot be one. */
  digestOf(tenant: Tenant, flowId: string): Uint8Array {
    const parsed = this.#tokens.parse("flow", flowId);
    if (parsed.kind !== "valid" || parsed.tenantName !== tenant.name) throw domainError("FLOW_NOT_FOUND", {});
    return parsed.digest;
  }

  /**
   * Checks that the call may be made for a client of that kind; before anything else is looked at.
   *
   * Security rule: a page goes on with browser flows alone. The id of a native flow is all that its holder shows, so a page
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
    const stage = active ? shape.stage(tenant, record) : undefined;
    const drawn = form ?? (active ? shape.form(tenant, record) : emptyForm);
    return {
      id,
      kind: record.kind,
      client: record.client,
      state: record.state,
      createdAt: record.createdAt,
      expiresAt: record.expiresAt,
      returnTo: record.returnTo,
      stage,
      form: { ...stageTexts(record, stage), ...drawn, nodes: withImportance(drawn.nodes) },
      csrfToken,
      account: shape.account?.(record),
    };
  }

  /** As `present`, for a call that came with the flow's id and the browser's own cookie. */
  presentTo(caller: FlowCaller, shape: FlowShape, flowId: string, record: FlowRecord, form?: Form): Flow {
    const browserToken = caller.browserToken === undefined ? undefined : new Secret(caller.browserToken);
    return this.present(caller.tenant, shape, new Secret(flowId), record, browserToken, form);
  }

  /** A browser keeps one token for all its flows, so that two tabs do not shut each other out. */
  #browserOf(caller: FlowCaller): { token: Secret; digest: Uint8Array; isNew: boolean } {
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
  }
}

const emptyForm: Form = { nodes: [], messages: [] };

function plain(flow: FlowRecord): { flow: FlowRecord; messages: readonly SealedMessage[] } {
  return { flow, messages: [] };
}

/** The first language that the caller asks for, as a short tag; the templates' own fallback does the rest. */
function languageOf({ languages }: FlowCaller): string {
  return /^\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2})/.exec(languages ?? "")?.[1]?.toLowerCase() ?? "";
}

// Of digests, not of secrets: how long the comparison takes tells nothing about a value that hashes to one.
function equalBytes(left: Uint8Array, right: Uint8Array | undefined): boolean {
  return (
    right !== undefined && left.length === right.length && left.every((byte, index) => byte === right[index])
  );
}
