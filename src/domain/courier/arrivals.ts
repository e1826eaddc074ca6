import { domainError } from "../errors.ts";
import { type CallOrigin, newEvent, serverOrigin } from "../event/event.ts";
import { normaliseIdentifier } from "../identifier/normalise.ts";
import type { MessageId } from "../ids.ts";
import { type PageAnswer, type PageAsk, type PageTokens, readPage } from "../paging/page-tokens.ts";
import type { Clock, TenantScope } from "../ports.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { isOpenlyBounced } from "./mark-refusal.ts";
import { oneLine } from "./reason.ts";
import type { AddressMark, ArrivalReport, MarkStore } from "./store.ts";

interface Deps {
  readonly store: MarkStore;
  readonly pageTokens: PageTokens;
  readonly clock: Clock;
}

/** What became of reports: how many told something new, and how many did not. */
export interface TakenReports {
  readonly taken: number;
  readonly ignored: number;
}

/** Whether mail arrives: what mail servers and providers tell of it, and which addresses it does not reach. */
export class Arrivals {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Notes reports whose sender is known. One of a message that is not known, or that says nothing new, is left out. */
  async take(tenant: Tenant, origin: CallOrigin, reports: readonly ArrivalReport[]): Promise<TakenReports> {
    let taken = 0;
    for (const report of reports) if (await this.#takeOne(tenant, origin, report)) taken++;
    return { taken, ignored: reports.length - taken };
  }

  /** Our own mail server has refused the address of a message for good. It is as if the message had come back. */
  async refused(
    scope: TenantScope,
    message: { readonly id: MessageId; readonly recipient: string },
    reason: string,
  ) {
    const report = {
      messageId: message.id,
      arrival: "bounced",
      recipient: message.recipient,
      reason,
    } as const;
    await this.#takeOne(scope, serverOrigin, report);
  }

  /** Whether a person who typed an address is told that mail to it comes back. The answer is the same for an address without an account. */
  async isOpenlyBounced(scope: TenantScope, typed: string): Promise<boolean> {
    const [mark] = await this.#deps.store.find(scope, [normalised(typed)]);
    return isOpenlyBounced(mark, this.#deps.clock.now());
  }

  /** The mark of an e-mail address. Throws ADDRESS_MARK_NOT_FOUND. */
  async get(tenant: Tenant, address: string): Promise<AddressMark> {
    const [mark] = await this.#deps.store.find(tenant, [normalised(address)]);
    if (mark === undefined) throw domainError("ADDRESS_MARK_NOT_FOUND", {});
    return mark;
  }

  /** The marks of addresses that are normalised, as far as there are any, by address. */
  async of(tenant: Tenant, addresses: readonly string[]): Promise<ReadonlyMap<string, AddressMark>> {
    if (addresses.length === 0) return new Map();
    const marks = await this.#deps.store.find(tenant, addresses);
    return new Map(marks.map((mark) => [mark.value, mark]));
  }

  /** The marked addresses, in the order of their bytes. */
  list(tenant: Tenant, page: PageAsk): Promise<PageAnswer<AddressMark>> {
    const list = { tenantId: tenant.tenantId, name: "address_marks", filters: {} };
    return readPage(this.#deps.pageTokens, list, page, 500, (request) =>
      this.#deps.store.list(tenant, request),
    );
  }

  /** Takes back all that is said of an address, on behalf of an operator. Does nothing if there is nothing. */
  async clear(tenant: Tenant, origin: CallOrigin, address: string): Promise<void> {
    const at = this.#deps.clock.now();
    const event = newEvent("address_mark.cleared", at, origin, { data: { by: "operator" } });
    await this.#deps.store.clear(tenant, normalised(address), { at, bounceOnly: false, event });
  }

  /** Somebody has entered a code that was sent to the address: so mail arrives there. What its reader complained of stays. */
  async prove(tenant: Tenant, origin: CallOrigin, address: string): Promise<void> {
    const at = this.#deps.clock.now();
    const event = newEvent("address_mark.cleared", at, origin, { data: { by: "proof" } });
    await this.#deps.store.clear(tenant, address, { at, bounceOnly: true, event });
  }

  async #takeOne(scope: TenantScope, origin: CallOrigin, told: ArrivalReport): Promise<boolean> {
    const at = this.#deps.clock.now();
    const recipient = told.recipient === undefined ? undefined : normalised(told.recipient);
    const report = { ...told, recipient, reason: kept(told.reason, told.recipient) };
    const type = eventTypes[told.arrival];
    const by = { ...origin, actor: { kind: "server" } } as const;
    const event = type && newEvent(type, at, by, { data: { messageId: told.messageId } });
    return (await this.#deps.store.record(scope, report, { at, event })) !== undefined;
  }
}

/** Most mail arrives: an event of each would say nothing. */
const eventTypes = {
  delivered: undefined,
  bounced: "message.bounced",
  complained: "message.complained",
} as const;

function normalised(address: string): string {
  const result = normaliseIdentifier(address);
  return result.kind === "problem" ? address : result.value;
}

/**
 * What was said, as operators may read it. Security rule (SR-MAIL-6): mail that comes back is quoted, so what may be a code, a link or its
 * recipient is replaced.
 */
function kept(said: string | undefined, recipient: string | undefined): string | undefined {
  if (said === undefined || said === "") return undefined;
  const named = recipient === undefined ? said : said.replaceAll(recipient, "[recipient]");
  return oneLine(named.replace(/\S*ost_\S*/g, "[link]").replace(/(?<![\d.])\d{6,}(?![\d.])/g, "[code]"), 300);
}
