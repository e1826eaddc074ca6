import { isSameBytes } from "../../bytes.ts";
import type { SealedMessage } from "../../courier/outbox.ts";
import { DomainError, domainError } from "../../errors.ts";
import type { Event } from "../../event/event.ts";
import { type Form, withImportance, withProblems } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { FlowSubmission } from "../../form/submission.ts";
import type { IdentityId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient, FlowKind } from "../../kinds.ts";
import type { Clock, Sealer, Tokens } from "../../ports.ts";
import { Secret } from "../../secret.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { ThrottleSubjects } from "../../throttle/subjects.ts";
import type { Throttle } from "../../throttle/throttle.ts";
import { goOnLabel, type UserMessage } from "../../user-message/user-messages.ts";
import type {
  AnsweredBefore,
  AnyState,
  CreatedFlow,
  Flow,
  FlowCaller,
  FlowFound,
  FlowOutcome,
  FlowRecord,
  OAuth2Origin,
} from "./flow.ts";
import type { FlowAccess, HeldFlow } from "./flow-access.ts";
import { dataWith, type FlowAnswers } from "./flow-answers.ts";
import type { FlowView } from "./flow-view.ts";
import { type KeptOutcome, openOutcome, sealOutcome, type Typed } from "./kept-outcome.ts";
import { withLastUsed } from "./last-used.ts";
import { resolveReturnTo } from "./return-to.ts";
import type { FlowStore } from "./store.ts";
import {
  type AttemptOf,
  type Count,
  type FlowTable,
  type KindTypes,
  type LoginFirst,
  type Moved,
  type NotAccepted,
  type StepResult,
  stateRule,
} from "./table.ts";

/** What a flow begins with. */
export interface FlowStart {
  readonly client: FlowClient;
  readonly returnTo: string | undefined;
  readonly purpose: object;
  readonly state: AnyState;
  readonly clientData?: JsonObject | undefined;
  /** The request of the OAuth2 server; the browser then returns there, in the place of `returnTo`. */
  readonly oauth2?: OAuth2Origin | undefined;
  readonly identityId?: IdentityId | undefined;
  /** How long it lasts at most. Undefined: as long as all of its kind. */
  readonly mostLifetimeMs?: number;
  /** Changes the record before it is stored, for a flow that begins with something to be sent. */
  readonly prepare?: (flow: FlowRecord) => { flow: FlowRecord; messages: readonly SealedMessage[] };
}

/** A step that was taken, for the figures. */
export interface StepTaken {
  readonly kind: FlowKind;
  /** The name of the step; the table of the kind has it. */
  readonly step: string;
  /** The kind of the outcome, or `refused` where an error was thrown. */
  readonly outcome: string;
  /** Why it was rejected or refused. */
  readonly reason?: string | undefined;
}

interface FlowEngineDependencies {
  readonly flows: FlowStore;
  readonly tokens: Tokens;
  readonly access: FlowAccess;
  readonly sealer: Sealer;
  readonly throttle: Throttle;
  readonly answers: Pick<FlowAnswers, "find">;
  readonly clock: Clock;
  /** Told of each step. Default: nobody is. */
  readonly onStep?: ((taken: StepTaken) => void) | undefined;
}

/** The greatest number of replacements that follow each other, each in the place of the one before. */
const mostReplacements = 8;

/**
 * The rules that flows of all kinds share: how they begin, how a step is taken, when they end, and what their holder sees of
 * them. Who holds a flow is for FlowAccess.
 */
export class FlowEngine {
  readonly #deps: FlowEngineDependencies;

  constructor(deps: FlowEngineDependencies) {
    this.#deps = deps;
  }

  /** Begins a flow. A browser that has no browser token yet gets one to keep as a cookie. One round trip. */
  async create(caller: FlowCaller, view: FlowView, start: FlowStart): Promise<CreatedFlow> {
    const { record, messages, created } = this.draft(caller, view, start);
    await this.#deps.flows.create(caller.tenant, record, messages);
    return created;
  }

  /** A flow that is only to be stored. Throws RETURN_TO_NOT_ALLOWED, ORIGIN_NOT_ALLOWED, FLOW_CLIENT_MISMATCH. */
  draft(
    caller: FlowCaller,
    view: FlowView,
    start: FlowStart,
    id = this.#deps.tokens.issue("flow", caller.tenant.name),
  ): {
    readonly record: FlowRecord;
    readonly messages: readonly SealedMessage[];
    readonly created: CreatedFlow;
  } {
    const { tenant } = caller;
    this.#deps.access.assertClient(caller, start.client);
    const { oauth2 } = start;
    const returnTo = oauth2?.requestUrl ?? resolveReturnTo(start.returnTo, tenant.settings);
    const browser = start.client === "browser" ? this.#deps.access.browserOf(caller) : undefined;
    const createdAt = this.#deps.clock.now();
    const lifetimeMs = Math.min(view.lifetimeMs(tenant), start.mostLifetimeMs ?? Number.POSITIVE_INFINITY);
    const { flow: record, messages } = (start.prepare ?? plain)({
      digest: id.digest,
      kind: view.kind,
      client: start.client,
      state: "active",
      createdAt,
      expiresAt: new Date(createdAt.getTime() + lifetimeMs),
      returnTo,
      browserDigest: browser?.digest,
      identityId: start.identityId,
      revision: 0,
      challenge: undefined,
      data: {
        language: languageOf(caller),
        clientData: start.clientData,
        oauth2,
        purpose: start.purpose,
        state: start.state,
      },
    });
    const flow = withLastUsed(this.#present(tenant, view, id.token, record, browser?.token), caller);
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
  replace(caller: FlowCaller, view: FlowView, flowId: string, expired: FlowRecord): Promise<CreatedFlow> {
    return this.replaceBy(caller, view, flowId, view.again(caller.tenant, expired));
  }

  /**
   * The same as `replace`, with a given start of the fresh flow. Two round trips if the flow was replaced before, else one.
   *
   * Security rule (SR-FLOW-4): the id of the fresh flow is derived from the id that was shown, so only the holder of the former id holds
   * the new one. Of many calls at the same moment one stores the flow, and all get it.
   */
  async replaceBy(
    caller: FlowCaller,
    view: FlowView,
    flowId: string,
    start: FlowStart,
  ): Promise<CreatedFlow> {
    const { tenant } = caller;
    let [last, next] = [flowId, start];
    for (let round = 0; round < mostReplacements; round++) {
      const id = this.#deps.tokens.following("flow", last, tenant.name);
      const { record, created } = this.draft(caller, view, next, id);
      if (await this.#deps.flows.createOnce(tenant, record)) return created;
      const found = await this.#deps.flows.find(tenant, view.kind, record.digest);
      const held = this.#deps.access.hold(caller, found);
      if (held.kind !== "expired") {
        const flow = this.#shown(caller, view, id.token.reveal(), held.record);
        return { flow, newBrowserToken: undefined };
      }
      // It was replaced before, and has expired as well.
      [last, next] = [id.token.reveal(), view.again(tenant, held.record)];
    }
    return this.create(caller, view, next);
  }

  /** A flow that was read, as its holder sees it; if it has expired, a fresh flow in its place. */
  async show(caller: FlowCaller, view: FlowView, flowId: string, record: FlowRecord): Promise<FlowFound> {
    const held = this.#deps.access.hold(caller, record);
    if (held.kind === "expired") {
      return { kind: "replaced", replacement: await this.replace(caller, view, flowId, held.record) };
    }
    return { kind: "found", flow: this.#shown(caller, view, flowId, held.record) };
  }

  /** The record behind a flow's id; undefined if there is none. */
  find(tenant: Tenant, kind: FlowKind, flowId: string): Promise<FlowRecord | undefined> {
    return this.#deps.flows.find(tenant, kind, this.#deps.access.digestOf(tenant, flowId));
  }

  /**
   * Lets a submit through to an active flow, after checking that the caller holds the flow and that its form was drawn for
   * them. Otherwise as `admit`.
   */
  async enter(
    caller: FlowCaller,
    view: FlowView,
    record: FlowRecord | undefined,
    submission: FlowSubmission,
  ): Promise<
    | { readonly kind: "entered"; readonly record: FlowRecord }
    | { readonly kind: "expired"; readonly replacement: CreatedFlow }
    | AnsweredBefore
  > {
    const held = this.#deps.access.hold(caller, record);
    this.#deps.access.assertFormToken(caller, held.record, submission.flowId, submission.csrfToken);
    return this.admit(held, submission, () => this.replace(caller, view, submission.flowId, held.record));
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
    const answer = this.#deps.answers.find(record, submission.request);
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

  /**
   * Takes a step of a flow that was entered, by the table of its kind. Throws STEP_NOT_OFFERED, and FLOW_CHANGED if another
   * submit was first.
   *
   * Security rule (SR-FLOW-7): what is on offer at the flow's state is accepted, and nothing else. No stage is left out.
   */
  async take<K extends KindTypes>(
    table: FlowTable<K>,
    view: FlowView,
    submitted: Omit<AttemptOf<K>, "count">,
  ): Promise<FlowOutcome | K["Done"]> {
    const { flow, step } = submitted;
    const about = { kind: flow.kind, step: step.name };
    try {
      const outcome = await this.#take(table, view, submitted);
      const reason = outcome.kind === "rejected" ? (outcome as StepRejection).rejection.reason : undefined;
      this.#deps.onStep?.({ ...about, outcome: outcome.kind, reason });
      return outcome;
    } catch (error) {
      const reason = error instanceof DomainError ? error.reason : "INTERNAL";
      // What is not offered may be any name.
      if (reason !== "STEP_NOT_OFFERED") this.#deps.onStep?.({ ...about, outcome: "refused", reason });
      throw error;
    }
  }

  async #take<K extends KindTypes>(
    table: FlowTable<K>,
    view: FlowView,
    submitted: Omit<AttemptOf<K>, "count">,
  ): Promise<FlowOutcome | K["Done"]> {
    const { caller, tenant, flow, flowId, state, step } = submitted;
    const { steps, typed } = stateRule(table, state);
    const rule = Object.hasOwn(steps, step.name) ? steps[step.name] : undefined;
    const count: Count = (action, subjects) => {
      if (!rule?.limits?.includes(action)) throw new Error(`${flow.kind}: ${step.name} counts no ${action}`);
      const counted = { ...shownBy(caller, flow), ...subjects };
      return this.#deps.throttle.take(tenant, caller.origin, action, counted);
    };
    const attempt = { ...submitted, count } as AttemptOf<K>;
    if (rule === undefined || rule.isOffered?.(attempt) === false) {
      throw domainError("STEP_NOT_OFFERED", { step: step.name });
    }
    const result: StepResult<K> = await rule.take(attempt);
    if (isNotAccepted(result)) {
      const { events = [] } = result;
      return this.#rejected(caller, view, flowId, flow, result, result.typed ?? typed?.(attempt), events);
    }
    const moved = movedIn<K["State"]>(result);
    const target = moved?.state.at ?? (staysAt(result) ? state.at : "completed");
    if (target !== state.at && !rule.leadsTo.includes(target)) {
      throw new Error(`${flow.kind}: ${step.name} at ${state.at} may not lead to ${target}`);
    }
    const next = moved === undefined ? flow : await this.#advance(tenant, flow, moved);
    if (isLoginFirst(result)) {
      const loginFlow = await result.begin();
      return { kind: "login_required", loginFlow, flow: this.presentTo(caller, view, flowId, next) };
    }
    if (moved === undefined) return result as K["Done"];
    if (moved.goesOn !== undefined) return (await moved.goesOn()) as FlowOutcome | K["Done"];
    const drawn = this.presentTo(caller, view, flowId, next);
    if (moved.url === undefined) return { kind: "next_step", flow: drawn };
    return { kind: "redirect", url: moved.url, flow: withAnchor(drawn, moved.url) };
  }

  /** Moves a flow to another state. One round trip. Throws FLOW_CHANGED if another submit was first. */
  async #advance(tenant: Tenant, flow: FlowRecord, moved: Moved<AnyState>): Promise<FlowRecord> {
    const { state, identityId, challenge, messages = [], events = [], held = [], begins } = moved;
    const own = held.find(({ digest }) => isSameBytes(digest, flow.digest));
    const revision = own?.revision ?? flow.revision;
    const data = { ...flow.data, state };
    if (moved.isWritten) return { ...flow, revision: revision + 1, data, challenge: undefined, identityId };
    const advanced = await this.#deps.flows.advance(
      tenant,
      { digest: flow.digest, revision },
      // The flow that holds the challenge of an opened link is used up; there is at most one beside the flow itself.
      { data, identityId, challenge, messages, events, consumes: held.find((each) => each !== own), begins },
    );
    if (!advanced) throw await this.taken(tenant, flow);
    return { ...flow, revision: revision + 1, data, challenge, identityId };
  }

  /**
   * The outcome of a step that was not accepted: the form with its mistakes, filled in as it was sent. Records the events, if
   * there are any. A browser flow keeps the outcome until the next step, for a page that is loaded again. One round trip; none
   * for a native flow without events.
   */
  async #rejected(
    caller: FlowCaller,
    view: FlowView,
    flowId: string,
    record: FlowRecord,
    { reason, passwordRule, unknownPasskey, problems }: StepRejected,
    typed: Typed = {},
    events: readonly Event[],
  ): Promise<FlowOutcome> {
    const { tenant } = caller;
    const form = withProblems(view.form(tenant, record, typed), problems);
    const flow = this.presentTo(caller, view, flowId, record, form);
    const readable = typed.traits && view.readable(tenant, record, typed.traits);
    const kept = this.#keepable(record, { typed, problems }, readable);
    if (kept !== undefined || events.length > 0) {
      const { digest, revision } = record;
      await this.#deps.flows.keepOutcome(tenant, { digest, revision }, kept, events);
    }
    return { kind: "rejected", rejection: { reason, passwordRule, unknownPasskey }, flow };
  }

  /**
   * Seals the message of a step that worked and left the flow at its stage, for a browser flow to keep; undefined for a native
   * one.
   */
  keepSuccess(record: FlowRecord, message: UserMessage): string | undefined {
    const problems = { fields: [], form: [message] };
    return this.#keepable(record, { typed: {}, problems, isBeside: true }, {});
  }

  /**
   * Security rules (SR-FLOW-5): a native flow keeps nothing that was typed, because its id alone would show it. The fields of a step, such
   * as a password or code, are not kept, and no write-only trait is.
   */
  #keepable(record: FlowRecord, outcome: KeptOutcome, readable: JsonObject | undefined): string | undefined {
    if (record.client !== "browser") return undefined;
    const { text, traits } = outcome.typed;
    const typed = { text, traits: traits && (readable ?? {}) };
    return sealOutcome(this.#deps.sealer, record, { ...outcome, typed });
  }

  /** A flow that is read again, with the messages of its last submit. */
  #shown(caller: FlowCaller, view: FlowView, flowId: string, record: FlowRecord): Flow {
    const kept = record.state === "active" ? openOutcome(this.#deps.sealer, record) : undefined;
    if (kept === undefined) return this.presentTo(caller, view, flowId, record);
    const drawn = view.form(caller.tenant, record, kept.typed);
    const form = withProblems(drawn, kept.problems);
    const messages = kept.isBeside ? [...form.messages, ...drawn.messages] : form.messages;
    return this.presentTo(caller, view, flowId, record, { ...form, messages });
  }

  /**
   * What to tell the loser of two submits at the same moment: FLOW_CHANGED if the flow goes on with another step, else
   * FLOW_COMPLETED.
   */
  async taken(tenant: Tenant, record: FlowRecord): Promise<Error> {
    const now = await this.#deps.flows.find(tenant, record.kind, record.digest);
    return domainError(now?.state === "active" ? "FLOW_CHANGED" : "FLOW_COMPLETED", {});
  }

  /** The flow as its holder sees it, with an empty form unless another one is given. */
  #present(
    tenant: Tenant,
    view: FlowView,
    id: Secret,
    record: FlowRecord,
    browserToken: Secret | undefined,
    form?: Form,
  ): Flow {
    const active = record.state === "active";
    const stage = active ? view.stage(tenant, record) : undefined;
    const drawn = form ?? (active ? view.form(tenant, record) : emptyForm);
    return {
      id,
      kind: record.kind,
      client: record.client,
      state: record.state,
      createdAt: record.createdAt,
      expiresAt: record.expiresAt,
      returnTo: record.returnTo,
      stage,
      form: { ...drawn, nodes: withImportance(drawn.nodes) },
      csrfToken: active ? this.#deps.access.formTokenOf(record, id, browserToken) : undefined,
      account: view.account?.(record),
      oauth2: record.data.oauth2,
      traitsEtag: active ? view.traitsEtag?.(record) : undefined,
    };
  }

  /** As `present`, for a call that came with the flow's id and the browser's own cookie. */
  presentTo(caller: FlowCaller, view: FlowView, flowId: string, record: FlowRecord, form?: Form): Flow {
    const browserToken = caller.browserToken === undefined ? undefined : new Secret(caller.browserToken);
    const flow = this.#present(caller.tenant, view, new Secret(flowId), record, browserToken, form);
    return withLastUsed(flow, caller);
  }
}

type StepRejection = Extract<FlowOutcome, { readonly kind: "rejected" }>;

function isNotAccepted(result: { readonly kind: string }): result is NotAccepted {
  return result.kind === "rejected";
}

function isLoginFirst(result: { readonly kind: string }): result is LoginFirst {
  return result.kind === "login_first";
}

/** What the call shows, as what a try in this flow is counted by. */
function shownBy(caller: FlowCaller, flow: FlowRecord): ThrottleSubjects {
  return {
    clientIp: caller.limitedClientIp,
    flow: flow.digest,
    device: caller.shownDevice(flow.client),
    session: caller.shownSession(flow.client),
  };
}

/** Whether the flow goes on as it is: while a login comes first, or after a change of settings. */
function staysAt({ kind }: { readonly kind: string }): boolean {
  return kind === "login_first" || kind === "changed";
}

function movedIn<State>(result: { readonly kind: string }): Moved<State> | undefined {
  if (result.kind === "login_first") return (result as LoginFirst<State>).moved;
  return result.kind === "moved" ? (result as Moved<State>) : undefined;
}

/** Adds a link to the form of a flow that goes on elsewhere, for clients that do not know the outcome `redirect`. */
export function withAnchor(flow: Flow, url: string): Flow {
  const anchor = {
    name: "goOn",
    label: goOnLabel(),
    messages: [],
    element: { kind: "anchor", url },
  } as const;
  return { ...flow, form: { ...flow.form, nodes: [anchor, ...flow.form.nodes] } };
}

const emptyForm: Form = { nodes: [], messages: [] };

function plain(flow: FlowRecord): { flow: FlowRecord; messages: readonly SealedMessage[] } {
  return { flow, messages: [] };
}

/** The first language that the caller asks for, as a short tag; the templates' own fallback does the rest. */
function languageOf({ languages }: FlowCaller): string {
  return /^\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2})/.exec(languages ?? "")?.[1]?.toLowerCase() ?? "";
}
