import { domainError } from "../errors.ts";
import { type CallOrigin, newEvent } from "../event/event.ts";
import type { EventStore } from "../event/store.ts";
import type { IdentityId } from "../ids.ts";
import type { Clock, KeyedDigests } from "../ports.ts";
import type { Secret } from "../secret.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { addressSubject } from "./address-subject.ts";
import { counterKey, deviceSubject, inMicroseconds } from "./counter-keys.ts";
import type { Devices, ShownDevice } from "./devices.ts";
import {
  actionLimits,
  type LimitScope,
  limitRules,
  type SharedLimitName,
  type ThrottledAction,
} from "./limits.ts";
import { LocalBuckets } from "./local-buckets.ts";
import type {
  CountedAttempt,
  CounterRelease,
  CountResult,
  ThrottleCompletion,
  ThrottleStore,
} from "./store.ts";

/** Who or what an action is counted for. What is not given is not counted. */
export interface ThrottleSubjects {
  /** The client's address; undefined where it is not known, or limits by address stand aside. */
  readonly address?: string | undefined;
  /** The digest of the flow's id. */
  readonly flow?: Uint8Array | undefined;
  /** What the account is known by: normalised identifiers, whether or not anybody has them. */
  readonly accounts?: readonly string[] | undefined;
  /** Whose account it is, if anybody's: only their own devices are known ones. */
  readonly identityId?: IdentityId | undefined;
  /** A device token or the value of a device cookie, as it was sent. */
  readonly device?: string | undefined;
  /** Where a code is to be sent: a normalised e-mail address or telephone number. */
  readonly recipient?: string | undefined;
}

/** An attempt that was counted and let through. Whoever completes the action passes it on. */
export interface ThrottleTicket {
  readonly shownDevices: readonly ShownDevice[];
  readonly knownDevice: Uint8Array | undefined;
  readonly releases: readonly CounterRelease[];
}

/** What a success changes, and what the client is to keep. */
export interface ThrottleSuccess {
  /** For the statement that completes the action. Undefined: nothing to do. */
  readonly completion: ThrottleCompletion | undefined;
  /** The device token, or the value of the device cookie. Undefined: none. */
  readonly device: Secret | undefined;
}

interface ThrottleDependencies {
  readonly store: ThrottleStore;
  readonly digests: KeyedDigests;
  readonly devices: Devices;
  readonly events: EventStore;
  readonly clock: Clock;
}

const maxDevices = 50;
/** At most one event of a subject in this time. */
const eventLimit = { count: 1, periodMs: 60_000 };
const nothingCounted: ThrottleTicket = { shownDevices: [], knownDevice: undefined, releases: [] };

/** An attempt, with the limit that it is counted for. */
interface NamedAttempt extends CountedAttempt {
  readonly limit: SharedLimitName;
}

/**
 * Slows down guessing, probing and flooding. An attempt is counted before anything is compared; when the counters
 * cannot be reached the action fails with DATABASE_UNAVAILABLE, it is never let through uncounted.
 */
export class Throttle {
  readonly #store: ThrottleStore;
  readonly #digests: KeyedDigests;
  readonly #devices: Devices;
  readonly #events: EventStore;
  readonly #clock: Clock;
  readonly #eventBuckets = new LocalBuckets();

  constructor(dependencies: ThrottleDependencies) {
    this.#store = dependencies.store;
    this.#digests = dependencies.digests;
    this.#devices = dependencies.devices;
    this.#events = dependencies.events;
    this.#clock = dependencies.clock;
  }

  /**
   * Counts an attempt in all limits of the action, in one statement. Throws RATE_LIMITED with the time to wait, the
   * same for identifiers that nobody has (ASVS V6.3.8).
   */
  async take(
    tenant: Tenant,
    origin: CallOrigin,
    action: ThrottledAction,
    subjects: ThrottleSubjects,
  ): Promise<ThrottleTicket> {
    if (!tenant.settings.throttle.enabled) return nothingCounted;
    const shownDevices = this.#devices.read(tenant, subjects.device);
    const attempts = this.#attemptsOf(tenant, action, subjects, shownDevices);
    if (attempts.length === 0) return { ...nothingCounted, shownDevices };
    const { knownDevice, refused } = await this.#count(tenant, attempts, subjects, shownDevices);
    const [worst] = [...refused].sort((left, right) => right.waitUs - left.waitUs);
    const attempt = worst === undefined ? undefined : attempts[worst.place];
    if (worst !== undefined && attempt !== undefined) {
      const { scope } = limitRules[attempt.limit];
      if (action === "login" || action === "password_check") {
        await this.#recordRefusal(tenant, origin, scope, attempt.key, subjects.identityId);
      }
      throw domainError("RATE_LIMITED", { scope }, { retryAfterMs: Math.ceil(worst.waitUs / 1000) });
    }
    const counted = attempts.filter(
      ({ device, unlessKnownDevice }) =>
        (device === undefined || sameBytes(device, knownDevice)) &&
        !(unlessKnownDevice && knownDevice !== undefined),
    );
    return { shownDevices, knownDevice, releases: counted.flatMap(releaseOf) };
  }

  /** Counts likewise, and says whether it is let through: for what must not be seen to be refused. */
  async admits(tenant: Tenant, action: ThrottledAction, subjects: ThrottleSubjects): Promise<boolean> {
    if (!tenant.settings.throttle.enabled) return true;
    const attempts = this.#attemptsOf(tenant, action, subjects, []);
    return (await this.#count(tenant, attempts, subjects, [])).refused.length === 0;
  }

  /**
   * What the success of a counted attempt changes, for the statement that stores the success. With a client, also
   * the device that is known from now on.
   */
  succeeded(tenant: Tenant, ticket: ThrottleTicket, client: "browser" | "native"): ThrottleSuccess {
    if (!tenant.settings.throttle.enabled) return { completion: undefined, device: undefined };
    const { record, kept } = this.#devices.keep(tenant, client, ticket.shownDevices, ticket.knownDevice);
    return { completion: { releases: ticket.releases, device: record, maxDevices }, device: kept };
  }

  /** Takes back what a success takes back, where there is no statement that could do so. One round trip. */
  async release(tenant: Tenant, ticket: ThrottleTicket): Promise<void> {
    if (ticket.releases.length > 0) await this.#store.release({ tenantId: tenant.id }, ticket.releases);
  }

  #count(
    tenant: Tenant,
    attempts: readonly CountedAttempt[],
    { identityId }: ThrottleSubjects,
    shownDevices: readonly ShownDevice[],
  ): Promise<CountResult> {
    const atUs = this.#clock.now().getTime() * 1000;
    const devices = shownDevices.map(({ digest }) => digest);
    return this.#store.take({ tenantId: tenant.id }, { atUs, attempts, identityId, devices });
  }

  #attemptsOf(
    tenant: Tenant,
    action: ThrottledAction,
    subjects: ThrottleSubjects,
    shownDevices: readonly ShownDevice[],
  ): readonly NamedAttempt[] {
    const attempts = actionLimits[action].flatMap((limit) =>
      subjectsOf(limit, subjects, shownDevices).map(({ subject, device }): NamedAttempt => {
        const { scope, stage } = limitRules[limit];
        return {
          limit,
          key: counterKey(this.#digests, limit, subject),
          ...inMicroseconds(tenant.settings.throttle.limits[limit]),
          stage,
          device,
          unlessKnownDevice: scope === "account",
        };
      }),
    );
    // Statements that count the same subjects then wait for each other instead of blocking each other.
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
    const at = this.#clock.now();
    const subject = Buffer.from(key).toString("hex");
    // Asked first, so that of a flood of refusals one in a minute costs a round trip more.
    if (this.#eventBuckets.take(`${tenant.id}/${subject}`, eventLimit, at.getTime()) > 0) return;
    const attempt = {
      key: this.#digests.make("throttle", `event\0${subject}`),
      ...inMicroseconds(eventLimit),
      stage: 1,
      device: undefined,
      unlessKnownDevice: false,
    } as const;
    const request = { atUs: at.getTime() * 1000, attempts: [attempt], identityId: undefined, devices: [] };
    const { refused } = await this.#store.take({ tenantId: tenant.id }, request);
    if (refused.length > 0) return;
    const event = newEvent("login.throttled", at, origin, { identityId, data: { scope } });
    await this.#events.append({ tenantId: tenant.id }, [event]);
  }
}

function subjectsOf(
  limit: SharedLimitName,
  subjects: ThrottleSubjects,
  shownDevices: readonly ShownDevice[],
): readonly { readonly subject: string; readonly device: Uint8Array | undefined }[] {
  const plain = (subject: string | undefined) =>
    subject === undefined ? [] : [{ subject, device: undefined }];
  const { scope } = limitRules[limit];
  switch (scope) {
    case "address":
      return plain(subjects.address === undefined ? undefined : addressSubject(subjects.address));
    case "flow":
      return plain(subjects.flow === undefined ? undefined : Buffer.from(subjects.flow).toString("hex"));
    case "recipient":
      return plain(subjects.recipient);
    case "account":
      return [...new Set(subjects.accounts)].flatMap(plain);
    case "device":
      return shownDevices.map(({ digest }) => ({ subject: deviceSubject(digest), device: digest }));
    default: {
      const unreachable: never = scope;
      return unreachable;
    }
  }
}

function releaseOf({ limit, key, costUs }: NamedAttempt): CounterRelease[] {
  const { onSuccess } = limitRules[limit];
  if (onSuccess === "keep") return [];
  return [{ key, refundUs: onSuccess === "refund" ? costUs : undefined }];
}

function sameBytes(left: Uint8Array, right: Uint8Array | undefined): boolean {
  return right !== undefined && Buffer.compare(left, right) === 0;
}
