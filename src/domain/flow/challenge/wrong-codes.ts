import { channelOf, newMessage } from "../../courier/message.ts";
import type { Outbox, SealedMessage } from "../../courier/outbox.ts";
import { newEvent } from "../../event/event.ts";
import type { FailedAttempts } from "../../event/failed-attempts.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import { placeOf } from "../../identity/notices.ts";
import type { CodeStrength } from "../../method/method.ts";
import type { Clock, TenantScope } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import { identityKey } from "../../throttle/subjects.ts";
import type { Throttle, ThrottleTicket } from "../../throttle/throttle.ts";
import type { FlowCaller, FlowRecord } from "../shared/flow.ts";

const dayMs = 86_400_000;

/** Keeps messages to be sent. Implemented by storage/message-store.ts. */
export interface NoticeQueue {
  enqueue(scope: TenantScope, messages: readonly SealedMessage[]): Promise<void>;
}

/**
 * How hard the next code is to guess. From half of `wrong_codes` on it is a long one.
 *
 * Security rule (SR-LIMIT-1): no more than `wrong_codes` (100; NIST SP 800-63B-4, section 3.2.2) codes of the usual length are guessed
 * wrongly in a row, and nobody is locked out by it: who reads the mailbox gets a code that cannot be guessed. The other half
 * is for the codes that were sent before.
 */
export function strengthAgainst(tenant: Tenant, { wrongCodes }: ThrottleTicket): CodeStrength {
  return wrongCodes >= threshold(tenant) ? "long" : "usual";
}

/** Whether codes of the usual length are compared no more. In silence: all names of an account share the count. */
export function isGuessedOut({ silenced }: ThrottleTicket): boolean {
  return silenced.has("wrong_codes") || silenced.has("own_wrong_codes");
}

interface WrongCodeNoticesDependencies {
  readonly throttle: Throttle;
  readonly queue: NoticeQueue;
  readonly outbox: Outbox;
  readonly failedAttempts: Pick<FailedAttempts, "note">;
  readonly clock: Clock;
}

/** Tells the owner of an account that somebody enters wrong codes: once a day, and from half of `wrong_codes` on. */
export class WrongCodeNotices {
  readonly #deps: WrongCodeNoticesDependencies;

  constructor(deps: WrongCodeNoticesDependencies) {
    this.#deps = deps;
  }

  /** Notes a wrong code. For an account that nobody has it costs the same, and tells nobody. */
  async note(
    { tenant, origin }: FlowCaller,
    { data: { language = "" } }: FlowRecord,
    wrong: {
      readonly ticket: ThrottleTicket;
      readonly target: ContactAddress | undefined;
      readonly sentTo: string;
    },
  ): Promise<void> {
    const { ticket, target, sentTo } = wrong;
    const count = ticket.wrongCodes + 1;
    if (!tenant.settings.throttle.enabled || count < threshold(tenant)) return;
    const [subject = ""] = identityKey(target?.identityId, sentTo);
    if (!(await this.#deps.throttle.isFirst(tenant, `wrong codes\0${subject}`, dayMs))) return;
    const at = this.#deps.clock.now();
    const data = { count, ...placeOf(origin, at) };
    const message = newMessage({ template: "wrong_codes", data }, at, {
      channel: channelOf(target?.kind),
      recipient: target?.value ?? sentTo,
      language,
      identityId: target?.identityId,
      suppressed: target?.identityId === undefined,
    });
    await this.#deps.queue.enqueue(tenant, [this.#deps.outbox.seal(message)]);
    const about = { identityId: target?.identityId, data: { scope: "account", wrongCodes: count } };
    this.#deps.failedAttempts.note(tenant, [newEvent("login.throttled", at, origin, about)]);
  }
}

function threshold(tenant: Tenant): number {
  return Math.ceil(tenant.settings.throttle.limits.wrong_codes.count / 2);
}
