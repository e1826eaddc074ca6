import { button, type Node } from "../../form/form.ts";
import type { RejectionReason, StepRejected } from "../../form/rejection.ts";
import type { FlowKind, MethodKind } from "../../kinds.ts";
import * as messages from "../../message/message.ts";
import type { AddressProofMethod, ProofKind } from "../../method/method.ts";
import { longCodeLength } from "../../method/typed-code.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { FlowRecord, FlowStage, MethodOffer, OfferedAddress } from "../shared/flow.ts";

/** What is drawn of codes and links, in flows of all kinds. */
export class AddressProofForms {
  readonly #methods: ReadonlyMap<string, AddressProofMethod>;

  constructor(methods: ReadonlyMap<string, AddressProofMethod>) {
    this.#methods = methods;
  }

  /** The kinds that a tenant offers for a kind of flow. */
  offered(tenant: Tenant, flow: FlowKind): readonly ProofKind[] {
    const { code, link } = tenant.settings;
    const kinds: ProofKind[] = [];
    if (code.enabledFor.has(flow)) kinds.push("code");
    // A link leads to a page.
    if (link.enabledFor.has(flow) && tenant.settings.uiUrls[flow] !== undefined) kinds.push("link");
    return kinds.filter((kind) => this.#methods.has(kind));
  }

  /** The offers of a stage for codes and links, with the addresses to choose from if there is a choice. */
  offers(tenant: Tenant, flow: FlowKind, addresses?: readonly OfferedAddress[]): readonly MethodOffer[] {
    return this.offered(tenant, flow).map((kind) => ({ kind, ...(addresses && { addresses }) }));
  }

  /** The buttons that ask for them; where `among` is given, for those of them alone. */
  requestNodes(tenant: Tenant, flow: FlowKind, among?: readonly MethodKind[]): readonly Node[] {
    return this.offered(tenant, flow)
      .filter((kind) => among?.includes(kind) ?? true)
      .flatMap((kind) => this.#methods.get(kind)?.requestNodes(flow) ?? []);
  }

  /** Where a flow stands that waits for a secret; undefined if it waits for none. */
  stageOf(tenant: Tenant, { data, challenge }: FlowRecord): FlowStage | undefined {
    const { pending } = data;
    if (pending === undefined) return undefined;
    if (pending.kind === "confirm") return { kind: "confirm_link", address: pending.sentTo };
    if (pending.kind === "claim") return { kind: "claim_account", address: pending.sentTo };
    return {
      kind: pending.kind === "code" ? "enter_code" : "link_sent",
      sentTo: pending.sentTo,
      expiresAt: challenge?.expiresAt ?? new Date(pending.sentAt),
      resendAt: this.resendAt(tenant, pending),
      codeLength: tenant.settings.code.length,
      longCodeLength,
    };
  }

  /** The form of a flow that waits for a secret; undefined if it waits for none. */
  nodesOf({ kind, data }: FlowRecord): readonly Node[] | undefined {
    const { pending } = data;
    if (pending === undefined) return undefined;
    if (pending.kind === "confirm") return [button("confirmLink", messages.continueLabel())];
    if (pending.kind === "claim") {
      return [
        button("resume", messages.claimLabel()),
        button("disown", messages.disownLabel()),
        button("back", messages.backLabel(kind), true),
      ];
    }
    return [
      ...(this.#methods.get(pending.kind)?.awaitNodes(kind) ?? []),
      button("resend", messages.resendLabel(), true),
      button("back", messages.backLabel(kind), true),
    ];
  }

  /** What is said about a flow that waits for a secret. */
  messagesOf({ kind, data }: FlowRecord): readonly messages.Message[] {
    const { pending } = data;
    if (pending === undefined) return [];
    if (pending.kind === "confirm") return [messages.confirmLink(kind, pending.sentTo)];
    if (pending.kind === "claim") return [messages.claimAccount(pending.sentTo)];
    return [
      pending.kind === "code"
        ? messages.codeSent(kind, pending.sentTo)
        : messages.linkSent(kind, pending.sentTo),
    ];
  }

  /** From when on another secret can be asked for. */
  resendAt(tenant: Tenant, pending: { readonly sentAt: string }): Date {
    return new Date(new Date(pending.sentAt).getTime() + tenant.settings.code.resendAfterMs);
  }
}

/** A secret that was not accepted. */
export function proofInvalid(purpose: FlowKind, method: AddressProofMethod): StepRejected {
  const { reason, message } = method.invalid(purpose);
  const isTyped = method.useStep === "code";
  const problems = isTyped
    ? { fields: [{ name: "code.code", message }], form: [] }
    : { fields: [], form: [message] };
  return { kind: "rejected", reason, problems };
}

/** What was typed can be no code. */
export function proofUnreadable(refused: {
  readonly reason: RejectionReason;
  readonly message: messages.Message;
}): StepRejected {
  const { reason, message } = refused;
  return { kind: "rejected", reason, problems: { fields: [{ name: "code.code", message }], form: [] } };
}

/** No code was typed. */
export function codeRequired(): StepRejected {
  const problems = { fields: [{ name: "code.code", message: messages.required("code.code") }], form: [] };
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems };
}

/** The secret was tried too often. */
export function tooManyTries(): StepRejected {
  const problems = { fields: [{ name: "code.code", message: messages.tooManyTries() }], form: [] };
  return { kind: "rejected", reason: "CODE_TRIES_EXCEEDED", problems };
}
