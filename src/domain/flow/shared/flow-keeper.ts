import type { SealedMessage } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import type { Event } from "../../event/event.ts";
import { type Form, withImportance, withProblems } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { FlowSubmission } from "../../form/submission.ts";
import type { IdentityId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient, FlowKind } from "../../kinds.ts";
import type { Message } from "../../message/message.ts";
import type { Clock, FormTokens, Sealer, Tokens } from "../../ports.ts";
import { Secret } from "../../secret.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type {
  AnsweredBefore,
  CreatedFlow,
  Flow,
  FlowAccount,
  FlowCaller,
  FlowData,
  FlowFound,
  FlowOutcome,
  FlowRecord,
  FlowStage,
} from "./flow.ts";
import { dataWith, type FlowAnswers } from "./flow-answers.ts";
import { type KeptOutcome, openOutcome, sealOutcome, type Typed } from "./kept-outcome.ts";
import { resolveReturnTo } from "./return-to.ts";
import { stageTexts } from "./stage-texts.ts";
import type { FlowStore } from "./store.ts";

/** What a kind of flow adds to the rules that all flows share. */
export interface FlowShape {
  readonly kind: FlowKind;
  lifetimeMs(tenant: Tenant): number;
  /** Where an active flow stands. */
  stage(tenant: Tenant, flow: FlowRecord): FlowStage;
  /** The form of an active flow, without the form token. If `typed` is given, it is filled in with that. */
  form(tenant: Tenant, flow: FlowRecord, typed?: Typed): Form;
  /** Whose account the flow changes, where its holder is shown that. */
  account?(flow: FlowRecord): FlowAccount | undefined;
  /** The etag of the traits that the form is drawn from. */
  traitsEtag?(tenant: Tenant, flow: FlowRecord): string | undefined;
  /** The traits that were typed, without write-only traits. */
  readable?(tenant: Tenant, flow: FlowRecord, traits: JsonObject): JsonObject;
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
  readonly sealer: Sealer;
  readonly answers: Pick<FlowAnswers, "find">;
  readonly clock: Clock;
}

/** The greatest number of replacements that follow each other, each in the place of the one before. */
const mostReplacements = 8;

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
  readonly #sealer: Sealer;
  readonly #answers: FlowKeeperDependencies["answers"];
  readonly #clock: Clock;

  constructor({ flows, tokens, formTokens, sealer, answers, clock }: FlowKeeperDependencies) {
    this.#flows = flows;
    this.#tokens = tokens;
    this.#formTokens = formTokens;
    this.#sealer = sealer;
    this.#answers = answers;
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
    id = this.#tokens.issue("flow", caller.tenant.name),
  ): {
    readonly record: FlowRecord;
    readonly messages: readonly SealedMessage[];
    readonly created: CreatedFlow;
  } {
    const { tenant } = caller;
    this.assertClient(caller, start.client);
    const returnTo = resolveReturnTo(start.returnTo, tenant.settings);
    const browser = start.client === "browser" ? this.#browserOf(caller) : undefined;
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
   * The flow in the place of an expired one, whose id its holder shows: a fresh one, the same each time. What was filled in is
   * taken along, also what a stage before the last one asked for; what was proven is not, nor any secret.
   */
  replace(caller: FlowCaller, shape: FlowShape, flowId: string, expired: FlowRecord): Promise<CreatedFlow> {
    return this.replaceBy(caller, shape, flowId, startAgain(expired));
  }

  /**
   * The same as `replace`, with a given start of the fresh flow. Two round trips if the flow was replaced before, else one.
   *
   * Security rule: the id of the fresh flow is derived from the id that was shown, so only the holder of the former id holds
   * the new one. Of many calls at the same moment one stores the flow, and all get it.
   */
  async replaceBy(
    caller: FlowCaller,
    shape: FlowShape,
    flowId: string,
    start: FlowStart,
  ): Promise<CreatedFlow> {
    const { tenant } = caller;
    const scope = { tenantId: tenant.id };
    let [last, next] = [flowId, start];
    for (let round = 0; round < mostReplacements; round++) {
      const id = this.#tokens.following("flow", last, tenant.name);
      const { record, created } = this.draft(caller, shape, next, id);
      if (await this.#flows.createOnce(scope, record)) return created;
      const found = await this.#flows.find(scope, shape.kind, record.digest);
      const held = this.hold(caller, found);
      if (held.kind !== "expired") {
        const flow = this.#shown(caller, shape, id.token.reveal(), held.record);
        return { flow, newBrowserToken: undefined };
      }
      // It was replaced before, and has expired as well.
      [last, next] = [id.token.reveal(), startAgain(held.record)];
    }
    return this.create(caller, shape, next);
  }

  /** A flow that was read, as its holder sees it; if it has expired, a fresh flow in its place. */
  async show(caller: FlowCaller, shape: FlowShape, flowId: string, record: FlowRecord): Promise<FlowFound> {
    const held = this.hold(caller, record);
    if (held.kind === "expired") {
      return { kind: "replaced", replacement: await this.replace(caller, shape, flowId, held.record) };
    }
    return { kind: "found", flow: this.#shown(caller, shape, flowId, held.record) };
  }

  /** The record behind a flow's id; undefined if there is none. */
  find(tenant: Tenant, kind: FlowKind, flowId: string): Promise<FlowRecord | undefined> {
    return this.#flows.find({ tenantId: tenant.id }, kind, this.digestOf(tenant, flowId));
  }

  /**
   * Lets a submit through to an active flow, after checking that the caller holds the flow and that its form was drawn for
   * them. Otherwise as `admit`.
   */
  async enter(
    caller: FlowCaller,
    shape: FlowShape,
    record: FlowRecord | undefined,
    submission: FlowSubmission,
  ): Promise<
    | { readonly kind: "entered"; readonly record: FlowRecord }
    | { readonly kind: "expired"; readonly replacement: CreatedFlow }
    | AnsweredBefore
  > {
    const held = this.hold(caller, record);
    this.assertFormToken(caller, held.record, submission.flowId, submission.csrfToken);
    return this.admit(held, submission, () => this.replace(caller, shape, submission.flowId, held.record));
  }

  /**
   * Lets a submit of the flow's holder through to an active flow. Otherwise gives the answer that it got before, or the
   * replacement of an expired flow. Throws FLOW_COMPLETED.
   */
  async admit(
    held: HeldFlow,
    submission: FlowSubmission,
    replace: () => Promise<CreatedFlow>,
  ): Promise<
    | { readonly kind: "entered"; readonly record: FlowRecord }
    | { readonly kind: "expired"; readonly replacement: CreatedFlow }
    | AnsweredBefore
  > {
    const { record } = held;
    const answer = this.#answers.find(record, submission.request);
    if (answer !== undefined) return { kind: "answered", answer };
    if (held.kind === "completed") throw domainError("FLOW_COMPLETED", {});
    if (held.kind === "expired") {
      const replacement = await replace();
      // The replacement has done already what both flows were for.
      if (replacement.flow.state === "completed") throw domainError("FLOW_COMPLETED", {});
      return { kind: "expired", replacement };
    }
    return { kind: "entered", record: { ...record, data: dataWith(record.data, submission) } };
  }

  /** The outcome of a step that leaves more to do. */
  nextStep(caller: FlowCaller, shape: FlowShape, flowId: string, record: FlowRecord): FlowOutcome<never> {
    return { kind: "next_step", flow: this.presentTo(caller, shape, flowId, record) };
  }

  /**
   * The outcome of a step that was not accepted: the form with its mistakes, filled in as it was sent. Records the events, if
   * there are any. A browser flow keeps the outcome until the next step, for a page that is loaded again. One round trip; none
   * for a native flow without events.
   */
  async rejected(
    caller: FlowCaller,
    shape: FlowShape,
    flowId: string,
    record: FlowRecord,
    { reason, passwordRule, problems }: StepRejected,
    typed: Typed = {},
    events: readonly Event[] = [],
  ): Promise<FlowOutcome<never>> {
    const { tenant } = caller;
    const form = withProblems(shape.form(tenant, record, typed), problems);
    const flow = this.presentTo(caller, shape, flowId, record, form);
    const kept = this.#keepable(tenant, shape, record, { typed, problems });
    if (kept !== undefined || events.length > 0) {
      const { digest, revision } = record;
      await this.#flows.keepOutcome({ tenantId: tenant.id }, { digest, revision }, kept, events);
    }
    return { kind: "rejected", rejection: { reason, passwordRule }, flow };
  }

  /**
   * Seals the message of a step that worked and left the flow at its stage, for a browser flow to keep; undefined for a native
   * one.
   */
  keepSuccess(tenant: Tenant, shape: FlowShape, record: FlowRecord, message: Message): string | undefined {
    const problems = { fields: [], form: [message] };
    return this.#keepable(tenant, shape, record, { typed: {}, problems, isBeside: true });
  }

  /**
   * Security rules: a native flow keeps nothing that was typed, because its id alone would show it. The fields of a step, such
   * as a password or code, are not kept, and no write-only trait is.
   */
  #keepable(tenant: Tenant, shape: FlowShape, record: FlowRecord, outcome: KeptOutcome): string | undefined {
    if (record.client !== "browser") return undefined;
    const { text, traits } = outcome.typed;
    const typed = {
      ...(text !== undefined && { text }),
      ...(traits && { traits: shape.readable?.(tenant, record, traits) ?? {} }),
    };
    return sealOutcome(this.#sealer, record, { ...outcome, typed });
  }

  /** A flow that is read again, with the messages of its last submit. */
  #shown(caller: FlowCaller, shape: FlowShape, flowId: string, record: FlowRecord): Flow {
    const kept = record.state === "active" ? openOutcome(this.#sealer, record) : undefined;
    if (kept === undefined) return this.presentTo(caller, shape, flowId, record);
    const drawn = shape.form(caller.tenant, record, kept.typed);
    const form = withProblems(drawn, kept.problems);
    const messages = kept.isBeside ? [...form.messages, ...drawn.messages] : form.messages;
    return this.presentTo(caller, shape, flowId, record, { ...form, messages });
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
      traitsEtag: active ? shape.traitsEtag?.(tenant, record) : undefined,
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

/** The start of the flow in the place of an expired one. */
function startAgain(expired: FlowRecord): FlowStart {
  const { client, returnTo, identityId } = expired;
  const { schemaId, invitation, traits, refreshes, stepsUpTo, ofOwner, identifier, choice, clientData } =
    expired.data;
  const { typed } = identifier ?? choice ?? expired.data;
  const data = {
    ...(schemaId && { schemaId }),
    ...(invitation && { invitation }),
    ...(traits && { traits }),
    ...(refreshes && { refreshes }),
    ...(stepsUpTo && { stepsUpTo }),
    ...(ofOwner && { ofOwner }),
    ...(typed && { typed }),
    ...(clientData && { clientData }),
  };
  const isOwned = expired.kind === "settings" || refreshes !== undefined || ofOwner !== undefined;
  return { client, returnTo, data, identityId: isOwned ? identityId : undefined };
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
