import type { Outbox, SealedMessage } from "../../courier/outbox.ts";
import { type ContactAddress, isSameAddress } from "../../identity/addresses.ts";
import type { Identity } from "../../identity/identity.ts";
import { noticeOf, noticesTo, placeOf } from "../../identity/notices.ts";
import { type MessageId, newId } from "../../ids.ts";
import type { Clock, KeyedDigests } from "../../ports.ts";
import type { Throttle, ThrottleTicket } from "../../throttle/throttle.ts";
import type { NoticeQueue } from "../challenge/wrong-codes.ts";
import type { FlowCaller } from "../shared/flow.ts";
import type { LoginCompletion } from "../shared/store.ts";
import type { RecordOf } from "../shared/table.ts";
import type { LoginTypes } from "./state.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

interface LoginNoticesDependencies {
  readonly throttle: Throttle;
  readonly queue: NoticeQueue;
  readonly outbox: Outbox;
  readonly digests: KeyedDigests;
  readonly clock: Clock;
}

/** What the owner of an account is told of its logins (ASVS V6.3.5). */
export class LoginNotices {
  readonly #deps: LoginNoticesDependencies;

  constructor(deps: LoginNoticesDependencies) {
    this.#deps = deps;
  }

  /**
   * The messages about a login on a device that the account was not signed in to on before. None where devices are not remembered.
   * The address that the login was proved by has just had a message. A client that does not keep its device token is told of once
   * a day: the ids of the messages are the same then.
   */
  onNewDevice(
    { tenant, origin }: FlowCaller,
    flow: RecordOf<LoginTypes>,
    identity: Identity,
    { ticket, proof }: { readonly ticket: ThrottleTicket; readonly proof: LoginCompletion["proof"] },
  ): readonly SealedMessage[] {
    const { throttle, login } = tenant.settings;
    if (!throttle.enabled || !login.newDeviceNotice || ticket.own !== undefined) return [];
    const at = this.#deps.clock.now();
    const proved = proof.kind === "address" ? proof.target : undefined;
    const place = placeOf(origin, at);
    const day = new Date(Math.floor(at.getTime() / dayMs) * dayMs);
    const idFor = ({ kind, value }: ContactAddress) => {
      const text = [identity.id, kind, value, place.device, day.toISOString()].join("\0");
      return newId<MessageId>(day, this.#deps.digests.make("login notice", text));
    };
    const told = identity.verifiableAddresses.filter((address) => !proved || !isSameAddress(address, proved));
    const notice = { template: "login_new_device", data: place } as const;
    const to = { ...identity, verifiableAddresses: told };
    return noticesTo(this.#deps.outbox, to, notice, { ...noticeOf(flow, at, origin), idFor });
  }

  /** Tells the owner that somebody has the first factor and not the second one: at most once an hour. */
  async onWrongSecondFactor(
    { tenant, origin }: FlowCaller,
    flow: RecordOf<LoginTypes>,
    identity: Identity,
  ): Promise<void> {
    const { throttle, queue, outbox, clock } = this.#deps;
    const isTold = tenant.settings.throttle.enabled;
    if (!isTold || !(await throttle.isFirst(tenant, `second factor\0${identity.id}`, hourMs))) return;
    const at = clock.now();
    const notice = { template: "second_factor_failed", data: placeOf(origin, at) } as const;
    const messages = noticesTo(outbox, identity, notice, noticeOf(flow, at, origin));
    if (messages.length > 0) await queue.enqueue(tenant, messages);
  }
}
