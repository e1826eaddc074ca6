import { newMessage } from "../../courier/message.ts";
import type { Outbox, SealedMessage } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { Identity } from "../../identity/identity.ts";
import type { MethodMemory, SettingsStep, StepContinues } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { SmsLimits } from "../../throttle/sms-limits.ts";
import type { ThrottleTicket } from "../../throttle/throttle.ts";
import { smsCountry, smsUsedUp } from "../../user-message/factor-messages.ts";
import { isGuessedOut } from "../challenge/wrong-codes.ts";
import { type Sent, sentTooSoon } from "./sent-before.ts";
import type { AttemptOf, KindTypes } from "./table.ts";

/** A step that has a message sent. */
type Attempt = Pick<AttemptOf<KindTypes>, "tenant" | "flow" | "count">;

interface CodeMessagesDependencies {
  readonly smsLimits: SmsLimits;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/** The text messages of methods that send a code to a number of their own. */
export class CodeMessages {
  readonly #deps: CodeMessagesDependencies;

  constructor(deps: CodeMessagesDependencies) {
    this.#deps = deps;
  }

  /**
   * Counts the message of a second factor in a login; gives why none can be sent. Throws RATE_LIMITED.
   *
   * Security rule (SR-LIMIT-2): after a right first factor it is counted by the account alone. The limits of the number are those of
   * everybody who knows it: they could keep its owner out.
   */
  count(attempt: Attempt, number: string, owner: Identity | undefined): Promise<StepRejected | undefined> {
    const isHolder = "firstFactor" in attempt.flow.data.state && owner !== undefined;
    return this.#count(
      attempt,
      number,
      isHolder ? { holder: owner } : { recipient: number, identity: owner },
    );
  }

  async #count(
    { tenant, flow, count }: Attempt,
    number: string,
    by: { readonly holder?: Identity; readonly identity?: Identity | undefined; readonly recipient?: string },
  ): Promise<StepRejected | undefined> {
    const { holder, identity = holder, recipient } = by;
    const refused =
      sentTooSoon(flow, tenant, { kind: "code", to: number }, this.#deps.clock.now()) ??
      (await smsRefusal(this.#deps.smsLimits, tenant, number));
    if (refused !== undefined) return refused;
    await count("code_send", {
      purpose: flow.kind,
      recipient,
      identityId: identity?.id,
      holder: holder?.id,
    });
    return undefined;
  }

  /**
   * Counts a step by which a method is set up: the message that it has sent, or the try. Gives why none can be sent; undefined where
   * nothing is counted. Throws RATE_LIMITED.
   *
   * Security rule (SR-SMS-2): what a session can send that somebody found open or stole is nothing.
   */
  async countSetUp(
    { tenant, flow, count, step }: Attempt & Pick<AttemptOf<KindTypes>, "step">,
    rule: Pick<SettingsStep, "sendsTo">,
    by: {
      readonly memory: MethodMemory | undefined;
      readonly isFresh: boolean;
      readonly identity: Identity;
    },
  ): Promise<StepRejected | { readonly kind: "counted"; readonly ticket: ThrottleTicket } | undefined> {
    if (rule.sendsTo === undefined) return undefined;
    const { memory, identity } = by;
    const number = rule.sendsTo({ tenant, step, memory });
    if (number !== undefined) {
      if (!by.isFresh) return undefined;
      return this.#count({ tenant, flow, count }, number, { holder: identity, recipient: number });
    }
    if (memory === undefined || (step.fields.code ?? "") === "") return undefined;
    const ticket = await count("code_check", { purpose: flow.kind, identityId: identity.id });
    // The owner is here, so nothing has to be kept silent.
    if (isGuessedOut(ticket)) {
      throw domainError("RATE_LIMITED", { scope: "account" }, { retryAfterMs: 60_000 });
    }
    return { kind: "counted", ticket };
  }

  /** What goes out with a step, and to which number. */
  sentWith(
    { flow }: Attempt,
    { sends }: StepContinues,
    owner: Identity | undefined,
  ): { readonly messages: readonly SealedMessage[]; readonly sent?: Sent } {
    if (sends === undefined) return { messages: [] };
    const message = newMessage(sends.content, this.#deps.clock.now(), {
      channel: "sms",
      recipient: sends.recipient,
      language: flow.data.language ?? "",
      clientData: flow.data.clientData,
      identityId: owner?.id,
    });
    return { messages: [this.#deps.outbox.seal(message)], sent: { kind: "code", to: sends.recipient } };
  }
}

/** Why no text message can be sent to a number now, as the person is told; undefined if one can. */
export async function smsRefusal(
  limits: SmsLimits,
  tenant: AttemptOf<KindTypes>["tenant"],
  number: string,
): Promise<StepRejected | undefined> {
  const refusal = await limits.refusalOf(tenant, number);
  if (refusal === undefined) return undefined;
  const message = refusal === "country" ? smsCountry() : smsUsedUp();
  return { kind: "rejected", reason: "SMS_UNAVAILABLE", problems: { fields: [], form: [message] } };
}
