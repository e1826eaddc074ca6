import { type MessageContent, newMessage } from "../../courier/message.ts";
import type { Outbox, SealedMessage } from "../../courier/outbox.ts";
import { DomainError, domainError } from "../../errors.ts";
import type { Event } from "../../event/event.ts";
import { nodeName } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { ProofTarget } from "../../identity/addresses.ts";

import { maskAddress } from "../../identity/mask-address.ts";
import type { Instant } from "../../instant.ts";
import type { FlowKind } from "../../kinds.ts";
import * as messages from "../../message/message.ts";
import type { AddressProofMethod, Authentication, ProofKind, ProofStrength } from "../../method/method.ts";
import type { Clock, Tokens } from "../../ports.ts";
import { Secret } from "../../secret.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Throttle, ThrottleTicket } from "../../throttle/throttle.ts";
import { advanceFlow } from "../shared/advance-flow.ts";
import type { FlowCaller, FlowData, FlowRecord, PendingStage } from "../shared/flow.ts";
import type { FlowStore, HeldRevision } from "../shared/store.ts";
import {
  AddressProofForms,
  codeRequired,
  proofInvalid,
  proofUnreadable,
  tooManyTries,
} from "./address-proof-forms.ts";
import { countSend, countTry, fixedIdentity, isAlive, isFixed } from "./proof-counts.ts";
import { isGuessedOut, strengthAgainst, type WrongCodeNotices } from "./wrong-codes.ts";

/** A proof that was given: by which flow and challenge, of which address. */
export interface ProvedAddress {
  readonly kind: "proved";
  readonly authentication: Authentication;
  readonly target: ProofTarget;
  /** The flow that holds the challenge, with what was filled in there. */
  readonly holder: FlowRecord;
  /** The flow, and its holder where that is another one. */
  readonly held: readonly HeldRevision[];
  /** For whoever completes a login or registration by it. */
  readonly ticket: ThrottleTicket;
}

/** Where a secret goes, and what else is remembered with it. */
export interface ProofRequest {
  readonly kind: ProofKind;
  /** As the holder of the flow is told. */
  readonly sentTo: string;
  /** Undefined: nothing is sent, and nobody must notice. */
  readonly target: ProofTarget | undefined;
  /** Sent in place of the secret, to tell the owner of an address what somebody tried. */
  readonly instead?: MessageContent & { readonly recipient: ProofTarget };
  /** What the flow remembers beside the secret. */
  readonly data?: FlowData;
  readonly events?: readonly Event[];
}

/**
 * Finds where what was typed leads now, for another secret. A flow that waits forgets whose it is when the account changes, and
 * is then good for another secret like one that was begun anew.
 */
export type LookUpTyped = (typed: string) => Promise<ProofTarget | undefined>;

interface AddressProofsDependencies {
  readonly methods: readonly AddressProofMethod[];
  readonly flows: FlowStore;
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly outbox: Outbox;
  readonly wrongCodes: WrongCodeNotices;
  readonly clock: Clock;
}

/**
 * Codes and links within flows of all kinds: asked for, sent again, given up, checked.
 *
 * Security rules: a secret that is sent for somebody and one that is sent for nobody cost the same work and give the
 * same answer (ASVS V6.3.8). A try is counted before it is compared, so that of parallel tries each counts (V6.3.1).
 * A newer secret of a flow takes the place of the older one, which is dead at once; no other flow can do that.
 */
export class AddressProofs {
  readonly #methods: ReadonlyMap<string, AddressProofMethod>;
  readonly #flows: FlowStore;
  readonly #throttle: Throttle;
  readonly #tokens: Tokens;
  readonly #outbox: Outbox;
  readonly #wrongCodes: WrongCodeNotices;
  readonly #clock: Clock;
  /** What is drawn of them. */
  readonly forms: AddressProofForms;

  constructor(dependencies: AddressProofsDependencies) {
    this.#methods = new Map(dependencies.methods.map((method) => [method.kind, method]));
    this.#flows = dependencies.flows;
    this.#throttle = dependencies.throttle;
    this.#tokens = dependencies.tokens;
    this.#outbox = dependencies.outbox;
    this.#wrongCodes = dependencies.wrongCodes;
    this.#clock = dependencies.clock;
    this.forms = new AddressProofForms(this.#methods);
  }

  /**
   * Makes a secret, sends it, and moves the flow on. Throws FLOW_CHANGED if another submit was first, RATE_LIMITED.
   */
  async request(caller: FlowCaller, flow: FlowRecord, request: ProofRequest): Promise<FlowRecord> {
    const ticket = await countSend(this.#throttle, caller, flow, request);
    const at = this.#clock.now();
    // Security rule: what goes beyond is not sent, in silence, since a refusal would tell which names lead to one mailbox.
    const isWithheld = ticket.silenced.size > 0;
    const strength = strengthAgainst(caller.tenant, ticket);
    const issued = this.#issue(caller.tenant, flow, request, { at, isWithheld, strength });
    const { pending, sealed } = issued;
    // A secret that is not sent does not end the one that was sent before, so its holder can go on.
    const alive = isWithheld && isAlive(flow, caller.tenant, at) ? flow.challenge : undefined;
    const challenge =
      alive?.kind === issued.challenge.kind
        ? { ...issued.challenge, digest: alive.digest }
        : issued.challenge;
    const data: FlowData = { ...flow.data, ...request.data, pending };
    return advanceFlow(this.#flows, caller.tenant, flow, {
      data,
      challenge,
      identityId: request.target?.identityId ?? fixedIdentity(flow),
      messages: sealed,
      events: request.events ?? [],
    });
  }

  /**
   * Counts an answer that shows where a secret could be sent: by the client's address and the flow, as if it were sent. The
   * recipient is counted when it is. Throws RATE_LIMITED.
   */
  async countOffer({ tenant, origin, limitedAddress: address }: FlowCaller, flow: FlowRecord): Promise<void> {
    await this.#throttle.take(tenant, origin, "code_send", { address, flow: flow.digest });
  }

  /** A new flow's first secret, to be stored with the flow. */
  begin(
    tenant: Tenant,
    flow: FlowRecord,
    request: ProofRequest,
    isWithheld = false,
  ): { flow: FlowRecord; messages: readonly SealedMessage[] } {
    const how = { at: this.#clock.now(), isWithheld, strength: "usual" } as const;
    const { pending, challenge, sealed } = this.#issue(tenant, flow, request, how);
    return {
      flow: { ...flow, data: { ...flow.data, ...request.data, pending }, challenge },
      messages: sealed,
    };
  }

  /** A link that is handed over instead of being sent, and the flow that holds it, which is to be stored. */
  handOver(
    tenant: Tenant,
    flow: FlowRecord,
    how: Pick<ProofRequest, "sentTo"> & {
      readonly target: ProofTarget;
      readonly expiresAt: Instant;
    },
  ): {
    readonly flow: FlowRecord;
    readonly link: { readonly url: Secret; readonly token: Secret; readonly expiresAt: Date };
  } {
    const { sentTo, target, expiresAt } = how;
    const at = this.#clock.now();
    const binding = { flowDigest: flow.digest, purpose: flow.kind, address: target.value };
    const { challenge, secret: token } = this.#method("link").issue(tenant, binding, at, "usual");
    const pending: PendingStage = { kind: "link", sentTo, sentAt: at.toISOString(), target };
    return {
      flow: { ...flow, data: { ...flow.data, pending }, challenge: { ...challenge, expiresAt } },
      link: { token, url: new Secret(linkUrl(tenant, flow.kind, token.reveal())), expiresAt },
    };
  }

  /**
   * The kind of proof that a step asks for. Throws STEP_NOT_OFFERED, and FEATURE_OFF for a chosen address where there is no
   * choice.
   */
  requested(
    tenant: Tenant,
    flow: FlowKind,
    step: SubmittedStep,
    addresses: "with a choice" | "without a choice" = "without a choice",
  ): ProofKind {
    const kind = requestedProof(step);
    if (kind === undefined || !this.forms.offered(tenant, flow).includes(kind)) {
      throw domainError("STEP_NOT_OFFERED", { step: step.name });
    }
    const { addressId = "" } = step.fields;
    if (addresses === "without a choice" && addressId !== "") {
      throw domainError("FEATURE_OFF", { field: nodeName(step.name, "addressId") });
    }
    return kind;
  }

  /**
   * Tries the step of a flow that waits for a secret: use it, send another one, or give it up. Throws RATE_LIMITED.
   */
  async submit(
    caller: FlowCaller,
    flow: FlowRecord,
    step: SubmittedStep,
    lookUp?: LookUpTyped,
  ): Promise<{ readonly kind: "moved"; readonly record: FlowRecord } | ProvedAddress | StepRejected> {
    const { pending } = flow.data;
    if (pending === undefined || pending.kind === "claim") {
      throw domainError("STEP_NOT_OFFERED", { step: step.name });
    }
    if (pending.kind === "confirm") {
      const digest = Buffer.from(pending.parent, "base64url");
      const holder = await this.#flows.find({ tenantId: caller.tenant.id }, flow.kind, digest);
      const { target, opened } = pending;
      return this.#check(caller, {
        flow,
        holder,
        method: this.#method("link"),
        target,
        opened,
        step,
      });
    }
    if (step.name === "resend") return this.#resend(caller, flow, pending, lookUp);
    if (step.name === "back") return this.#back(caller, flow);
    // A link is used in the flow that it opens, not in the one that waits for it.
    if (pending.kind === "link") throw domainError("STEP_NOT_OFFERED", { step: step.name });
    const method = this.#method(pending.kind);
    return this.#check(caller, { flow, holder: flow, method, target: pending.target, step });
  }

  /**
   * The step of the flow that an opened link begins. Throws LINK_INVALID, the same for whatever is wrong with the link.
   * Nothing is used: programs that look into mail open links as well.
   */
  async open(
    tenant: Tenant,
    kind: FlowKind,
    linkToken: string,
  ): Promise<{ pending: PendingStage; parent: FlowRecord }> {
    const parsed = this.#tokens.parse("link", linkToken);
    const invalid = domainError("LINK_INVALID", {});
    if (parsed.kind !== "valid" || parsed.tenantName !== tenant.name) throw invalid;
    const parent = await this.#flows.findByLink({ tenantId: tenant.id }, kind, parsed.digest);
    const now = this.#clock.now();
    const waiting = parent?.data.pending;
    const target = waiting?.target;
    const isOpen =
      parent?.state === "active" && parent.challenge !== undefined && parent.challenge.expiresAt > now;
    if (parent === undefined || !isOpen || waiting === undefined || target === undefined) throw invalid;
    const digest = Buffer.from(parent.digest).toString("base64url");
    const opened = Buffer.from(parsed.digest).toString("base64url");
    const sentTo = parent.data.operator === "vouches" ? waiting.sentTo : maskAddress(target);
    return { parent, pending: { kind: "confirm", parent: digest, opened, sentTo, target } };
  }

  #issue(
    tenant: Tenant,
    flow: FlowRecord,
    request: ProofRequest,
    how: { readonly at: Date; readonly isWithheld: boolean; readonly strength: ProofStrength },
  ) {
    const { at, isWithheld, strength } = how;
    const { kind, sentTo, target, instead } = request;
    const binding = { flowDigest: flow.digest, purpose: flow.kind, address: target?.value ?? "" };
    const { challenge, secret } = this.#method(kind).issue(tenant, binding, at, strength);
    const minutes = Math.max(1, Math.round((challenge.expiresAt.getTime() - at.getTime()) / 60_000));
    const content =
      instead ??
      (kind === "code"
        ? contentOf(flow.kind, { code: secret.reveal(), minutes })
        : contentOf(flow.kind, { url: linkUrl(tenant, flow.kind, secret.reveal()), minutes }));
    const to = instead?.recipient ?? target;
    const message = newMessage(content, at, {
      channel: to?.kind === "phone" ? "sms" : "email",
      recipient: to?.value ?? sentTo,
      language: flow.data.language ?? "",
      clientData: flow.data.clientData,
      identityId: to?.identityId,
      suppressed: to === undefined || isWithheld,
    });
    const pending: PendingStage = {
      kind,
      sentTo,
      sentAt: at.toISOString(),
      ...(target === undefined ? {} : { target }),
    };
    return { pending, challenge, sealed: [this.#outbox.seal(message)] };
  }

  async #resend(caller: FlowCaller, flow: FlowRecord, pending: SentStep, lookUp: LookUpTyped | undefined) {
    const now = this.#clock.now();
    const problems = { fields: [], form: [messages.resendTooEarly()] };
    const tooEarly = { kind: "rejected", reason: "RESEND_TOO_EARLY", problems } as const;
    if (now < this.forms.resendAt(caller.tenant, pending)) return tooEarly;
    const { kind, sentTo } = pending;
    const isTyped = lookUp !== undefined && !isFixed(flow);
    const target = isTyped ? await lookUp(sentTo) : pending.target;
    try {
      return { kind: "moved", record: await this.request(caller, flow, { kind, sentTo, target }) } as const;
    } catch (error) {
      // Security rule: others may have used up the limit. The holder of a secret that is alive keeps it, and the form to
      // enter it in.
      const isLimit = error instanceof DomainError && error.reason === "RATE_LIMITED";
      if (isLimit && isAlive(flow, caller.tenant, now)) return tooEarly;
      throw error;
    }
  }

  async #back(caller: FlowCaller, flow: FlowRecord) {
    const { pending: _given, ...data } = flow.data;
    const change = { data, identityId: fixedIdentity(flow) };
    return { kind: "moved", record: await advanceFlow(this.#flows, caller.tenant, flow, change) } as const;
  }

  async #check(
    caller: FlowCaller,
    attempt: {
      readonly flow: FlowRecord;
      /** The flow that holds the challenge. */
      readonly holder: FlowRecord | undefined;
      readonly method: AddressProofMethod;
      readonly target: ProofTarget | undefined;
      readonly opened?: string;
      readonly step: SubmittedStep;
    },
  ): Promise<ProvedAddress | StepRejected> {
    const { flow, holder, method, target, opened, step } = attempt;
    if (step.name !== method.useStep) throw domainError("STEP_NOT_OFFERED", { step: step.name });
    if (method.useStep === "code" && (step.fields.code ?? "") === "") return codeRequired();
    // Security rule: what can be no code is refused before anything is counted, read or compared, and costs no try.
    const unreadable = method.unreadable(caller.tenant, step);
    if (unreadable !== undefined) return proofUnreadable(unreadable);
    const ticket = await countTry(this.#throttle, caller, { flow, holder, target, now: this.#clock.now() });
    if (holder === undefined) return proofInvalid(flow.kind, method);
    const limit = caller.tenant.settings.code.maxTries;
    const scope = { tenantId: caller.tenant.id };
    const counted = await this.#flows.countAttempt(scope, holder.digest, this.#clock.now(), limit);
    if (counted === undefined) {
      return (holder.challenge?.attempts ?? 0) >= limit ? tooManyTries() : proofInvalid(flow.kind, method);
    }
    const address = target?.value ?? "";
    const binding = { flowDigest: holder.digest, purpose: flow.kind, address, opened };
    const strength = isGuessedOut(ticket) ? "long" : "usual";
    // Where nothing was sent no guess is right, not even the one in a million.
    if (!method.matches(caller.tenant, binding, counted.challenge, step, strength) || target === undefined) {
      const waiting = flow.data.pending;
      if (waiting?.kind === "code")
        await this.#wrongCodes.note(caller, flow, { ticket, target, sentTo: waiting.sentTo });
      return counted.challenge.attempts >= limit ? tooManyTries() : proofInvalid(flow.kind, method);
    }
    const held = { digest: holder.digest, revision: counted.revision };
    const own = { digest: flow.digest, revision: flow.revision };
    const { authentication } = method;
    // The others complete without the counters.
    if (flow.kind !== "login" && flow.kind !== "registration") {
      await this.#throttle.release(caller.tenant, ticket);
    }
    const all = holder === flow ? [held] : [own, held];
    return { kind: "proved", authentication, target, holder, held: all, ticket };
  }

  #method(kind: ProofKind): AddressProofMethod {
    const method = this.#methods.get(kind);
    if (method === undefined) throw new Error(`no method ${kind}`);
    return method;
  }
}

/** The kind of proof that a step asks for; undefined if it asks for neither a code nor a link. */
export function requestedProof({ name }: SubmittedStep): ProofKind | undefined {
  if (name === "sendCode") return "code";
  return name === "sendLink" ? "link" : undefined;
}

type SentStep = Extract<PendingStage, { kind: ProofKind }>;

/**
 * Security rule: the page comes from the configuration of the flow's kind; no header of a request has a part in it.
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
