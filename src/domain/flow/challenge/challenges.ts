import type { Arrivals } from "../../courier/arrivals.ts";
import { channelOf, type MessageContent, newMessage } from "../../courier/message.ts";
import type { Outbox, SealedMessage } from "../../courier/outbox.ts";
import { DomainError, domainError } from "../../errors.ts";
import type { Event } from "../../event/event.ts";
import { nodeName, waitUntil } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import { toE164, withCountryCode } from "../../identifier/phone.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import type { Instant } from "../../instant.ts";
import type { ChallengeKind, FlowKind } from "../../kinds.ts";
import type { Authentication, ChallengeMethod, CodeStrength } from "../../method/method.ts";
import type { Clock, Tokens } from "../../ports.ts";
import { Secret } from "../../secret.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { SmsLimits } from "../../throttle/sms-limits.ts";
import type { Throttle, ThrottleTicket } from "../../throttle/throttle.ts";
import * as texts from "../../user-message/user-messages.ts";
import { addressBounced } from "../shared/address-bounced.ts";
import { smsRefusal } from "../shared/code-messages.ts";
import type { FlowRecord, MethodOffer, OfferedAddress } from "../shared/flow.ts";
import { resendRefused, sentTooSoon, withSent } from "../shared/sent-before.ts";
import type { FlowStore, HeldRevision } from "../shared/store.ts";
import type { AttemptOf, KindTypes, Moved } from "../shared/table.ts";
import { countSend, countTry, isAlive, recipientOf } from "./challenge-limits.ts";
import type { Awaiting, Confirming } from "./state.ts";
import { isGuessedOut, strengthAgainst, type WrongCodeNotices } from "./wrong-codes.ts";

/** A proof that was given: by which flow and challenge, of which address. */
export interface ProvedAddress {
  readonly kind: "proved";
  readonly authentication: Authentication;
  readonly target: ContactAddress;
  /** The flow that holds the challenge, with what was filled in there. */
  readonly holder: FlowRecord;
  /** The flow, and its holder where that is another one. */
  readonly held: readonly HeldRevision[];
  /** For the login or registration that it completes. */
  readonly ticket: ThrottleTicket;
}

/** Where a secret goes. */
export interface ChallengeRequest {
  readonly kind: ChallengeKind;
  /** The kind of flow that its message is like. Default: that of the flow. */
  readonly as?: FlowKind | undefined;
  /** As the holder of the flow is told. */
  readonly sentTo: string;
  /** Undefined: nothing is sent, and nobody must notice. */
  readonly target: ContactAddress | undefined;
  /** Sent in place of the secret, to tell the owner of an address what somebody tried. */
  readonly instead?: MessageContent & { readonly recipient: ContactAddress };
  readonly events?: readonly Event[];
  /** Whether what is typed in the flow decides nothing about whose it is. Default: it decides. */
  readonly isFixed?: boolean;
}

/** A flow that waits for a secret. */
export type Awaited = Moved<Awaiting>;

/** A step of a flow that asks for a secret or uses one. */
type ChallengeStep = Pick<AttemptOf<KindTypes>, "caller" | "flow" | "step" | "count">;

interface ChallengesDependencies {
  readonly methods: readonly ChallengeMethod[];
  readonly flows: FlowStore;
  readonly throttle: Throttle;
  readonly smsLimits: SmsLimits;
  readonly arrivals: Pick<Arrivals, "isOpenlyBounced" | "prove">;
  readonly tokens: Tokens;
  readonly outbox: Outbox;
  readonly wrongCodes: WrongCodeNotices;
  readonly clock: Clock;
}

/**
 * Codes and links within flows of all kinds: asked for, sent again, checked.
 *
 * Security rules (SR-ENUM-1): a secret that is sent for somebody and one that is sent for nobody cost the same work and give the
 * same answer (ASVS V6.3.8). A try is counted before it is compared, so that of parallel tries each counts (V6.3.1).
 * A newer secret of a flow takes the place of the older one, which is dead at once; no other flow can do that.
 */
export class Challenges {
  readonly #deps: ChallengesDependencies;
  readonly #methods: ReadonlyMap<string, ChallengeMethod>;

  constructor(deps: ChallengesDependencies) {
    this.#deps = deps;
    this.#methods = new Map(deps.methods.map((method) => [method.kind, method]));
  }

  /** The kinds that a tenant offers for a kind of flow. */
  offered(tenant: Tenant, flow: FlowKind): readonly ChallengeKind[] {
    return this.#deps.methods.filter((method) => method.isEnabled(tenant, flow)).map(({ kind }) => kind);
  }

  /** The offers of a stage for codes and links, with the addresses to choose from if there is a choice. */
  offers(tenant: Tenant, flow: FlowKind, addresses?: readonly OfferedAddress[]): readonly MethodOffer[] {
    return this.offered(tenant, flow).map((kind) => ({ kind, addresses }));
  }

  method(kind: ChallengeKind): ChallengeMethod {
    const method = this.#methods.get(kind);
    if (method === undefined) throw new Error(`no method ${kind}`);
    return method;
  }

  /** What a code or link is worth that was sent to an address. */
  authentication(kind: ChallengeKind, { kind: sentTo }: Pick<ContactAddress, "kind">): Authentication {
    const { authentication } = this.method(kind);
    return sentTo === "phone" ? { ...authentication, sentBy: "sms" } : authentication;
  }

  /** From when on another secret can be asked for. */
  resendAt(tenant: Tenant, { sentAt }: Pick<Awaiting, "sentAt">): Date {
    return new Date(new Date(sentAt).getTime() + tenant.settings.code.resendAfterMs);
  }

  /** How long another secret is still refused; undefined if it is not. */
  resendWaitMs(tenant: Tenant, state: Pick<Awaiting, "sentAt">): number | undefined {
    return waitUntil(this.resendAt(tenant, state), this.#deps.clock.now());
  }

  /** Makes a secret, and the message that sends it; or says why none can be sent. Throws RATE_LIMITED. */
  async request(attempt: ChallengeStep, asked: ChallengeRequest): Promise<Awaited | StepRejected> {
    const { caller, flow } = attempt;
    const { tenant } = caller;
    // Counted, limited and shown as the number that it goes to, however it was typed.
    const request = { ...asked, sentTo: withCountryCode(asked.sentTo, tenant.settings.defaultCountry) };
    const { target, sentTo, events, isFixed = false } = request;
    const at = this.#deps.clock.now();
    const sent = { kind: request.kind, to: recipientOf(flow, { isFixed, target, sentTo }) };
    const tooSoon = sentTooSoon(flow, tenant, sent, at);
    if (tooSoon !== undefined) return tooSoon;
    // By what was typed, if anything was: where a name leads must not show.
    const number = toE164(sentTo) ?? (isFixed ? phoneOf(target) : undefined);
    const refused = number && (await smsRefusal(this.#deps.smsLimits, tenant, number));
    if (refused) return refused;
    const ticket = await countSend(attempt, { isFixed, target, sentTo });
    // Security rule (SR-MAIL-8): it is looked up after the send was counted, and for everything that is typed, wherever that leads.
    if (await this.#deps.arrivals.isOpenlyBounced(tenant, sentTo)) return addressBounced();
    // Security rule (SR-ENUM-9): what goes beyond is not sent, in silence, since a refusal would tell which names lead to one mailbox.
    const isWithheld = ticket.silenced.size > 0;
    const strength = strengthAgainst(tenant, ticket);
    const issued = this.#issue(tenant, flow, request, { at, isWithheld, strength });
    // A secret that is not sent does not end the one that was sent before, so its holder can go on.
    const alive = isWithheld && isAlive(flow, tenant, at) ? flow.challenge : undefined;
    const challenge =
      alive?.kind === issued.challenge.kind
        ? { ...issued.challenge, digest: alive.digest }
        : issued.challenge;
    const identityId = target?.identityId ?? (isFixed ? flow.identityId : undefined);
    return { kind: "moved", ...issued, challenge, identityId, events, sent };
  }

  /**
   * Counts an answer that shows where a secret could be sent: by the client's address and the flow, as if it were sent. The
   * recipient is counted when it is. Throws RATE_LIMITED.
   */
  async countOffer({ count }: ChallengeStep): Promise<void> {
    await count("code_send", {});
  }

  /** A new flow's first secret, to be stored with the flow. */
  begin(
    tenant: Tenant,
    flow: FlowRecord,
    request: ChallengeRequest,
    isWithheld = false,
  ): { flow: FlowRecord; messages: readonly SealedMessage[] } {
    const at = this.#deps.clock.now();
    const how = { at, isWithheld, strength: "usual" } as const;
    const { state, challenge, messages: sealed } = this.#issue(tenant, flow, request, how);
    const { isFixed = false, target, sentTo } = request;
    const to = recipientOf(flow, { isFixed, target, sentTo });
    const sent = withSent(flow.data, tenant, { kind: request.kind, to }, at);
    return { flow: { ...flow, data: { ...flow.data, state, sent }, challenge }, messages: sealed };
  }

  /** A link that is handed over instead of being sent, and the flow that holds it, which is to be stored. */
  handOver(
    tenant: Tenant,
    flow: FlowRecord,
    how: Pick<ChallengeRequest, "sentTo"> & { readonly target: ContactAddress; readonly expiresAt: Instant },
  ): {
    readonly flow: FlowRecord;
    readonly link: { readonly url: Secret; readonly token: Secret; readonly expiresAt: Date };
  } {
    const { sentTo, target, expiresAt } = how;
    const at = this.#deps.clock.now();
    const binding = { flowDigest: flow.digest, purpose: flow.kind, address: target.value };
    const { challenge, secret: token } = this.method("link").issue(tenant, binding, at, "usual");
    const state: Awaiting = { at: "link_sent", sentTo, sentAt: at.toISOString(), target };
    return {
      flow: { ...flow, data: { ...flow.data, state }, challenge: { ...challenge, expiresAt } },
      link: { token, url: new Secret(linkUrl(tenant, flow.kind, token.reveal())), expiresAt },
    };
  }

  /**
   * Another secret, or a refusal where it is too early for one. `lookUp` finds where what was typed leads now: a flow that
   * waits forgets whose it is when the account changes, and is then good for another secret like one that was begun anew.
   * Throws RATE_LIMITED.
   */
  async resend(
    attempt: ChallengeStep,
    state: Awaiting,
    how: {
      readonly isFixed: boolean;
      readonly as?: FlowKind | undefined;
      readonly lookUp?: ((typed: string) => Promise<ContactAddress | undefined>) | undefined;
    },
  ): Promise<Awaited | StepRejected> {
    const { caller, flow } = attempt;
    const now = this.#deps.clock.now();
    if (now < this.resendAt(caller.tenant, state)) return resendRefused();
    const { sentTo } = state;
    const { isFixed, as, lookUp } = how;
    const target = lookUp !== undefined && !isFixed ? await lookUp(sentTo) : state.target;
    const kind = state.at === "enter_code" ? "code" : "link";
    try {
      return await this.request(attempt, { kind, as, sentTo, target, isFixed });
    } catch (error) {
      // Security rule (SR-LIMIT-2): others may have used up the limit. The holder of a secret that is alive keeps it, and the form to
      // enter it in.
      const isLimit = error instanceof DomainError && error.reason === "RATE_LIMITED";
      if (isLimit && isAlive(flow, caller.tenant, now)) return resendRefused();
      throw error;
    }
  }

  /**
   * The state of the flow that an opened link begins. Throws LINK_INVALID, the same for whatever is wrong with the link.
   * Nothing is used: programs that look into mail open links as well.
   */
  async open(
    tenant: Tenant,
    kind: FlowKind,
    linkToken: string,
  ): Promise<{ state: Confirming; parent: FlowRecord }> {
    const parsed = this.#deps.tokens.parse("link", linkToken);
    const invalid = domainError("LINK_INVALID", {});
    if (parsed.kind !== "valid" || parsed.tenantName !== tenant.name) throw invalid;
    const parent = await this.#deps.flows.findByLink(tenant, kind, parsed.digest);
    const now = this.#deps.clock.now();
    const isOpen =
      parent?.state === "active" && parent.challenge !== undefined && parent.challenge.expiresAt > now;
    if (parent === undefined || !isOpen) throw invalid;
    const { sentTo, target } = parent.data.state as Partial<Awaiting>;
    if (sentTo === undefined || target === undefined) throw invalid;
    const digest = Buffer.from(parent.digest).toString("base64url");
    const opened = Buffer.from(parsed.digest).toString("base64url");
    // An operator who vouches has named the account; anybody else sees a mask of the address.
    const isVouched = "operator" in parent.data.purpose && parent.data.purpose.operator === "vouches";
    const shown = isVouched ? sentTo : maskAddress(target);
    return { parent, state: { at: "confirm_link", parent: digest, opened, sentTo: shown, target } };
  }

  /** Tries a secret. Throws RATE_LIMITED. */
  async check(
    attempt: ChallengeStep,
    state: Awaiting | Confirming,
    isFixed: boolean,
  ): Promise<ProvedAddress | StepRejected> {
    const { caller, flow, step } = attempt;
    const { tenant } = caller;
    const method = this.method(state.at === "enter_code" ? "code" : "link");
    if (method.useStep === "code" && (step.fields.code ?? "") === "") return codeRequired();
    // Security rule (SR-CODE-7): what can be no code is refused before anything is counted, read or compared, and costs no try.
    const unreadable = method.unreadable(tenant, step);
    if (unreadable !== undefined) return unreadableCode(unreadable);
    const holder = state.at === "confirm_link" ? await this.#parentOf(tenant, flow, state) : flow;
    const { target, sentTo } = state;
    const now = this.#deps.clock.now();
    const action = method.kind === "code" ? "code_check" : "link_check";
    const ticket = await countTry(attempt, { isFixed, target, sentTo, action, holder, now });
    if (holder === undefined) return invalid(flow.kind, method);
    const limit = tenant.settings.code.maxTries;
    const counted = await this.#deps.flows.countAttempt(tenant, holder.digest, now, limit);
    if (counted === undefined) {
      return (holder.challenge?.attempts ?? 0) >= limit ? tooManyTries() : invalid(flow.kind, method);
    }
    const opened = state.at === "confirm_link" ? state.opened : undefined;
    const binding = { flowDigest: holder.digest, purpose: flow.kind, address: target?.value ?? "", opened };
    const strength = isGuessedOut(ticket) ? "long" : "usual";
    // Where nothing was sent no guess is right, not even the one in a million.
    if (!method.matches(tenant, binding, counted.challenge, step, strength) || target === undefined) {
      if (method.kind === "code") await this.#deps.wrongCodes.note(caller, flow, { ticket, target, sentTo });
      return counted.challenge.attempts >= limit ? tooManyTries() : invalid(flow.kind, method);
    }
    if (counted.isMarked && target.kind === "email") {
      await this.#deps.arrivals.prove(tenant, caller.origin, target.value);
    }
    const held = { digest: holder.digest, revision: counted.revision };
    const own = { digest: flow.digest, revision: flow.revision };
    // The others complete without the counters.
    if (flow.kind !== "login" && flow.kind !== "registration") {
      await this.#deps.throttle.release(tenant, ticket);
    }
    const all = holder === flow ? [held] : [own, held];
    // A link that an operator handed over came by no message.
    const isSent = !("operator" in holder.data.purpose && holder.data.purpose.operator === "vouches");
    const authentication = isSent ? this.authentication(method.kind, target) : method.authentication;
    return { kind: "proved", authentication, target, holder, held: all, ticket };
  }

  #parentOf(tenant: Tenant, flow: FlowRecord, { parent }: Confirming) {
    return this.#deps.flows.find(tenant, flow.kind, Buffer.from(parent, "base64url"));
  }

  #issue(
    tenant: Tenant,
    flow: FlowRecord,
    request: ChallengeRequest,
    how: { readonly at: Date; readonly isWithheld: boolean; readonly strength: CodeStrength },
  ) {
    const { at, isWithheld, strength } = how;
    const { kind, sentTo, target, instead, as = flow.kind } = request;
    const binding = { flowDigest: flow.digest, purpose: flow.kind, address: target?.value ?? "" };
    const { challenge, secret } = this.method(kind).issue(tenant, binding, at, strength);
    const minutes = Math.max(1, Math.round((challenge.expiresAt.getTime() - at.getTime()) / 60_000));
    const content =
      instead ??
      (kind === "code"
        ? contentOf(as, { code: secret.reveal(), minutes })
        : contentOf(as, { url: linkUrl(tenant, flow.kind, secret.reveal()), minutes }));
    const to = instead?.recipient ?? target;
    const message = newMessage(content, at, {
      channel: channelOf(to?.kind),
      recipient: to?.value ?? sentTo,
      language: flow.data.language ?? "",
      clientData: flow.data.clientData,
      identityId: to?.identityId,
      suppressed: to === undefined || isWithheld,
    });
    const state: Awaiting = {
      at: kind === "code" ? "enter_code" : "link_sent",
      sentTo,
      sentAt: at.toISOString(),
      target,
    };
    return { state, challenge, messages: [this.#deps.outbox.seal(message)] };
  }
}

/** The telephone number that a message goes to, if it goes to one. */
function phoneOf(target: ContactAddress | undefined): string | undefined {
  return target?.kind === "phone" ? target.value : undefined;
}

/** Throws FEATURE_OFF for a chosen address where there is no choice. */
export function assertNoChoice({ name, fields }: SubmittedStep): void {
  if ((fields.addressId ?? "") === "") return;
  throw domainError("FEATURE_OFF", { field: nodeName(name, "addressId") });
}

/**
 * Security rule (SR-CODE-9): the page comes from the configuration of the flow's kind; no header of a request has a part in it.
 * The token is in the fragment, which browsers send to no server, so it ends up in no access log.
 */
function linkUrl(tenant: Tenant, flow: FlowKind, token: string): string {
  const url = new URL(tenant.settings.uiUrls[flow] ?? "");
  url.hash = new URLSearchParams({ link: token }).toString();
  return url.href;
}

function contentOf(
  flow: FlowKind,
  data:
    | { readonly code: string; readonly minutes: number }
    | { readonly url: string; readonly minutes: number },
): MessageContent {
  // The proof of a new address is the same to its reader, wherever it was asked for.
  const name = flow === "settings" ? "verification" : flow;
  if ("code" in data) return { template: `${name}_code`, data };
  return { template: `${name}_link`, data };
}

/** A secret that was not accepted. */
function invalid(purpose: FlowKind, method: ChallengeMethod): StepRejected {
  const { reason, message } = method.invalid(purpose);
  const isTyped = method.useStep === "code";
  const problems = isTyped
    ? { fields: [{ name: codeName, message }], form: [] }
    : { fields: [], form: [message] };
  return { kind: "rejected", reason, problems };
}

/** What was typed can be no code. */
function unreadableCode({
  reason,
  message,
}: NonNullable<ReturnType<ChallengeMethod["unreadable"]>>): StepRejected {
  return { kind: "rejected", reason, problems: { fields: [{ name: codeName, message }], form: [] } };
}

/** No code was typed. */
function codeRequired(): StepRejected {
  const problems = { fields: [{ name: codeName, message: texts.required(codeName) }], form: [] };
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems };
}

/** The secret was tried too often. */
function tooManyTries(): StepRejected {
  const problems = { fields: [{ name: codeName, message: texts.tooManyTries() }], form: [] };
  return { kind: "rejected", reason: "CODE_TRIES_EXCEEDED", problems };
}

const codeName = "code.code";
