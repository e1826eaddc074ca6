import { hexOf, isSameBytes } from "../bytes.ts";
import { domainError } from "../errors.ts";
import { type CallOrigin, newEvent } from "../event/event.ts";
import type { FailedAttempts } from "../event/failed-attempts.ts";
import type { IdentityId } from "../ids.ts";
import type { Clock, KeyedDigests } from "../ports.ts";
import type { Secret } from "../secret.ts";
import { idleSince } from "../session/lifetime.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { SharedLimitName } from "../tenant/throttle-settings.ts";
import { counterKey, inMicroseconds } from "./counter-keys.ts";
import type { Devices, ShownDevice } from "./devices.ts";
import { actionLimits, type LimitScope, limitRules, type ThrottledAction, watchedLimits } from "./limits.ts";
import { LocalBuckets } from "./local-buckets.ts";
import type {
  CountedAttempt,
  CounterRelease,
  CountRequest,
  CountResult,
  ThrottleCompletion,
  ThrottleStore,
} from "./store.ts";
import { allowanceOf, subjectOf, type ThrottleSubjects } from "./subjects.ts";

/** An attempt that was counted and let through. Pass it to `succeeded` when the action completes. */
export interface ThrottleTicket {
  readonly shownDevices: readonly ShownDevice[];
  /** Proof of the owner: a device that the identity knows, or a live session of it. Undefined without one. */
  readonly own: Uint8Array | undefined;
  readonly releases: readonly CounterRelease[];
  /**
   * The silent limits that refused it. Nothing is compared or sent then, after the same work, and the answer is as if the
   * secret were wrong or the message sent.
   */
  readonly silenced: ReadonlySet<SharedLimitName>;
  /** Wrong codes in a row before this one: of the account or, with a proof of the owner, of that device or session. */
  readonly wrongCodes: number;
}

/** Effects of a success, and the token that the client keeps. */
export interface ThrottleSuccess {
  /** For the statement that completes the action. Undefined: nothing to do. */
  readonly completion: ThrottleCompletion | undefined;
  /** The device token, or the value of the device cookie. Undefined: none. */
  readonly device: Secret | undefined;
}

interface Deps {
  readonly store: ThrottleStore;
  readonly digests: KeyedDigests;
  readonly devices: Devices;
  readonly failedAttempts: Pick<FailedAttempts, "note">;
  readonly clock: Clock;
}

const maxDevices = 50;
/** At most one event of a subject in this time. */
const eventLimit = { count: 1, periodMs: 60_000 };
const nothingCounted: ThrottleTicket = {
  shownDevices: [],
  own: undefined,
  releases: [],
  silenced: new Set(),
  wrongCodes: 0,
};

/** An attempt, with the limit that it is counted for. */
interface NamedAttempt extends CountedAttempt {
  readonly limit: SharedLimitName;
}

/**
 * Slows down guessing, probing and flooding. An attempt is counted before anything is compared; when the counters
 * cannot be reached the action fails with DATABASE_UNAVAILABLE, it is never let through uncounted.
 */
export class Throttle {
  readonly #deps: Deps;
  readonly #eventBuckets = new LocalBuckets();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * Counts an attempt in all limits of the action, in one statement. Throws RATE_LIMITED with the time to wait, the
   * same for unknown identifiers (ASVS V6.3.8).
   */
  async take(
    tenant: Tenant,
    origin: CallOrigin,
    action: ThrottledAction,
    subjects: ThrottleSubjects,
  ): Promise<ThrottleTicket> {
    if (!tenant.settings.throttle.enabled) return nothingCounted;
    const shownDevices = this.#deps.devices.read(tenant, subjects.device);
    const session = this.#deps.devices.readSession(tenant, subjects.session);
    const owns = [...shownDevices.map(({ digest }) => digest), ...(session === undefined ? [] : [session])];
    const attempts = this.#attemptsOf(tenant, action, subjects, owns);
    if (attempts.length === 0) return { ...nothingCounted, shownDevices };
    const counted = await this.#deps.store.take(tenant, {
      ...this.#momentOf(tenant),
      attempts,
      identityId: subjects.identityId,
      devices: shownDevices.map(({ digest }) => digest),
      session,
    });
    const refused = counted.refused.flatMap(({ place, waitUs }) => {
      const attempt = attempts[place];
      return attempt === undefined ? [] : [{ attempt, waitUs }];
    });
    await this.#assertNoneShown(tenant, origin, action, subjects, refused);
    return {
      shownDevices,
      own: counted.own,
      releases: attempts.filter((attempt) => isCountedFor(attempt, counted.own)).flatMap(releaseOf),
      silenced: new Set(refused.map(({ attempt }) => attempt.limit)),
      wrongCodes: wrongCodesOf(attempts, counted, this.#deps.clock.now().getTime() * 1000),
    };
  }

  /** Throws RATE_LIMITED for what may be seen to be refused. */
  async #assertNoneShown(
    tenant: Tenant,
    origin: CallOrigin,
    action: ThrottledAction,
    { identityId }: ThrottleSubjects,
    refused: readonly { readonly attempt: NamedAttempt; readonly waitUs: number }[],
  ): Promise<void> {
    // An operator who asks about an identity knows which names belong together.
    const isSilent = ({ limit }: NamedAttempt) =>
      limitRules[limit].isSilent === true && action !== "password_check";
    const [worst] = refused
      .filter(({ attempt }) => !isSilent(attempt))
      .sort((left, right) => right.waitUs - left.waitUs);
    if (worst !== undefined) {
      const { scope } = limitRules[worst.attempt.limit];
      if (action === "login" || action === "password_check") {
        await this.#recordRefusal(tenant, origin, scope, worst.attempt.key, identityId);
      }
      throw domainError("RATE_LIMITED", { scope }, { retryAfterMs: Math.ceil(worst.waitUs / 1000) });
    }
  }

  /**
   * Whether this is the first notice about a subject within a period. Counted by all servers together, and for unknown
   * subjects as well. One round trip.
   */
  async isFirst(tenant: Tenant, subject: string, periodMs: number): Promise<boolean> {
    const attempt = {
      key: this.#deps.digests.make("throttle", `first\0${subject}`),
      ...inMicroseconds({ count: 1, periodMs }),
      stage: 1,
      own: undefined,
      unlessOwn: false,
    } as const;
    const request: CountRequest = {
      ...this.#momentOf(tenant),
      attempts: [attempt],
      identityId: undefined,
      devices: [],
      session: undefined,
    };
    return (await this.#deps.store.take(tenant, request)).refused.length === 0;
  }

  /**
   * What the success of a counted attempt changes, for the statement that stores the success. With a client, also
   * the device that is known from now on.
   */
  succeeded(tenant: Tenant, ticket: ThrottleTicket, client: "browser" | "native"): ThrottleSuccess {
    if (!tenant.settings.throttle.enabled) return { completion: undefined, device: undefined };
    const { record, kept } = this.#deps.devices.keep(tenant, client, ticket.shownDevices, ticket.own);
    return { completion: { releases: ticket.releases, device: record, maxDevices }, device: kept };
  }

  /** A new known device, for a person who was signed in without a counted attempt. */
  known(tenant: Tenant, client: "browser" | "native", shown: string | undefined): ThrottleSuccess {
    if (!tenant.settings.throttle.enabled) return { completion: undefined, device: undefined };
    const { record, kept } = this.#deps.devices.keep(
      tenant,
      client,
      this.#deps.devices.read(tenant, shown),
      undefined,
    );
    return { completion: { releases: [], device: record, maxDevices }, device: kept };
  }

  /** Takes back what a success takes back, where there is no statement that could do so. One round trip. */
  async release(tenant: Tenant, ticket: ThrottleTicket): Promise<void> {
    if (ticket.releases.length > 0) await this.#deps.store.release(tenant, ticket.releases);
  }

  #momentOf(tenant: Tenant): Pick<CountRequest, "atUs" | "idleSince"> {
    const now = this.#deps.clock.now();
    return { atUs: now.getTime() * 1000, idleSince: idleSince(tenant.settings.session, now) };
  }

  #attemptsOf(
    tenant: Tenant,
    action: ThrottledAction,
    subjects: ThrottleSubjects,
    owns: readonly Uint8Array[],
  ): readonly NamedAttempt[] {
    const { limits, unlistedProxyFactor } = tenant.settings.throttle;
    const attemptsAt = (limit: SharedLimitName, stage: NamedAttempt["stage"]) => {
      const { by, who } = limitRules[limit];
      const attemptOf = (subject: string, own: Uint8Array | undefined): NamedAttempt => ({
        limit,
        key: counterKey(this.#deps.digests, limit, subject),
        ...inMicroseconds(allowanceOf(limits[limit], by, subjects, unlistedProxyFactor)),
        stage,
        own,
        unlessOwn: who === "strangers",
      });
      if (who === "owner") {
        return owns.flatMap((own) => subjectOf(by, subjects, own).map((subject) => attemptOf(subject, own)));
      }
      return subjectOf(by, subjects, undefined).map((subject) => attemptOf(subject, undefined));
    };
    const attempts = [
      ...(watchedLimits[action] ?? []).flatMap((limit) => attemptsAt(limit, 0)),
      ...actionLimits[action].flatMap((limit) => attemptsAt(limit, limitRules[limit].stage)),
    ];
    // In one order, so that statements which count the same subjects wait for each other and do not deadlock.
    return attempts.sort((left, right) => left.stage - right.stage || Buffer.compare(left.key, right.key));
  }

  /** At most one event of an account and minute, of all servers together: a flood of guesses must not fill the log. */
  async #recordRefusal(
    tenant: Tenant,
    origin: CallOrigin,
    scope: LimitScope,
    key: Uint8Array,
    identityId: IdentityId | undefined,
  ): Promise<void> {
    const at = this.#deps.clock.now();
    const subject = hexOf(key);
    // Asked first, so that of a flood of refusals one in a minute costs a round trip more.
    if (this.#eventBuckets.take(`${tenant.tenantId}/${subject}`, eventLimit, at.getTime()) > 0) return;
    if (!(await this.isFirst(tenant, `event\0${subject}`, eventLimit.periodMs))) return;
    const event = newEvent("login.throttled", at, origin, { identityId, data: { scope } });
    this.#deps.failedAttempts.note(tenant, [event]);
  }
}

/** Whether an attempt was counted, given what shows the owner. */
function isCountedFor({ stage, own, unlessOwn }: NamedAttempt, shown: Uint8Array | undefined): boolean {
  if (stage === 0) return false;
  if (own !== undefined) return shown !== undefined && isSameBytes(own, shown);
  return !(unlessOwn && shown !== undefined);
}

function wrongCodesOf(attempts: readonly NamedAttempt[], { watched }: CountResult, atUs: number): number {
  const counts = watched.map(({ place, spentUntilUs }) => {
    const costUs = attempts[place]?.costUs ?? 1;
    return Math.max(0, Math.ceil((spentUntilUs - atUs) / costUs));
  });
  return Math.max(0, ...counts);
}

function releaseOf({ limit, key, costUs }: NamedAttempt): CounterRelease[] {
  const { onSuccess } = limitRules[limit];
  if (onSuccess === "keep") return [];
  return [{ key, refundUs: onSuccess === "refund" ? costUs : undefined }];
}
