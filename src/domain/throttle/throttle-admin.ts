import { hexOf } from "../bytes.ts";
import { invalid } from "../errors.ts";
import { type CallOrigin, newEvent } from "../event/event.ts";
import { normaliseForLogin } from "../identifier/normalise.ts";
import type { Identity } from "../identity/identity.ts";
import type { IdentityStore } from "../identity/store.ts";
import type { IdentityId } from "../ids.ts";
import type { FlowKind } from "../kinds.ts";
import type { Clock, KeyedDigests } from "../ports.ts";
import { idleSince } from "../session/lifetime.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Limit, SharedLimitName } from "../tenant/throttle-settings.ts";
import { counterKey, inMicroseconds } from "./counter-keys.ts";
import { type LimitScope, limitRules } from "./limits.ts";
import type { ThrottleStore } from "./store.ts";
import { subjectOf, type ThrottleSubjects } from "./subjects.ts";

/** Subject of counters; at least one field is given. */
export interface ThrottleSubject {
  /** An identifier as a person types it; empty: none. */
  readonly identifier: string;
  /** The IP address; empty: none. */
  readonly ipAddress: string;
}

/** A counter, as an operator sees it. */
export interface ThrottleCounter {
  readonly name: SharedLimitName;
  readonly scope: LimitScope;
  readonly limit: Limit;
  readonly used: number;
  /** Time of the next attempt that is let through; undefined: now. */
  readonly availableAt: Date | undefined;
  readonly emptyAt: Date;
}

/** Explanation for an operator. */
export interface ThrottleExplanation {
  readonly counters: readonly ThrottleCounter[];
  /** Time from which a login on an unknown device is let through; undefined: now. */
  readonly loginAvailableAt: Date | undefined;
}

interface Deps {
  readonly store: ThrottleStore;
  readonly identities: IdentityStore;
  readonly digests: KeyedDigests;
  readonly clock: Clock;
}

interface NamedKey {
  readonly name: SharedLimitName;
  readonly key: Uint8Array;
}

const clientIpLimits: readonly SharedLimitName[] = ["address", "registration", "sending"];
const nameLimits: readonly SharedLimitName[] = ["account", "account_daily", "recipient_total"];
const identityLimits: readonly SharedLimitName[] = ["identity_daily", "wrong_codes", "holder_messages"];
const mailboxLimits: readonly SharedLimitName[] = ["mailbox", "registration_mailbox"];
const ownLimits: readonly SharedLimitName[] = [
  "device",
  "device_daily",
  "own_recipient",
  "own_recipient_daily",
  "own_recipient_total",
  "own_messages",
  "own_wrong_codes",
];
/** Counters of a name together with a client IP. */
const pairLimits: readonly SharedLimitName[] = ["recipient", "recipient_daily"];
const purposes: readonly FlowKind[] = ["login", "registration", "verification", "recovery", "settings"];
/** Counters of a login on an unknown device, beside that of its flow. */
const loginLimits: ReadonlySet<SharedLimitName> = new Set([
  "address",
  "account",
  "account_daily",
  "identity_daily",
]);

/** Explains and empties the counters that all servers share. */
export class ThrottleAdmin {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The counters of a subject that are not empty, and whether a login would be let through. Counts nothing. */
  async explain(tenant: Tenant, subject: ThrottleSubject): Promise<ThrottleExplanation> {
    const { keys } = await this.#keysOf(tenant, subject);
    const now = this.#deps.clock.now();
    const stored = await this.#deps.store.read(
      tenant,
      keys.map(({ key }) => key),
      now.getTime() * 1000,
    );
    const spent = new Map(stored.map(({ key, spentUntilUs }) => [hexOf(key), spentUntilUs]));
    const counters = keys.flatMap(({ name, key }) => {
      const spentUntilUs = spent.get(hexOf(key));
      if (spentUntilUs === undefined) return [];
      return [counterOf(name, tenant.settings.throttle.limits[name], spentUntilUs, now)];
    });
    const waits = counters.flatMap(({ name, availableAt }) =>
      loginLimits.has(name) && availableAt !== undefined ? [availableAt.getTime()] : [],
    );
    const blocked = tenant.settings.throttle.enabled && waits.length > 0;
    return { counters, loginAvailableAt: blocked ? new Date(Math.max(...waits)) : undefined };
  }

  /** Empties the counters of a subject, and records it. Returns how many were not empty. */
  async reset(tenant: Tenant, origin: CallOrigin, subject: ThrottleSubject): Promise<number> {
    const { keys, identityId } = await this.#keysOf(tenant, subject);
    const now = this.#deps.clock.now();
    // The identifier is personal data and stays out of the log; whose it is, is said by the event itself.
    const by = [
      subject.identifier === "" ? [] : (["identifier"] as const),
      subject.ipAddress === "" ? [] : (["ip_address"] as const),
    ].flat();
    const event = newEvent("throttle.reset", now, origin, { identityId, data: { by } });
    const ordered = keys.map(({ key }) => key);
    return this.#deps.store.clear(tenant, ordered, now.getTime() * 1000, event);
  }

  async #keysOf(
    tenant: Tenant,
    { identifier, ipAddress }: ThrottleSubject,
  ): Promise<{ readonly keys: readonly NamedKey[]; readonly identityId: IdentityId | undefined }> {
    if (identifier === "" && ipAddress === "") {
      const description = "is needed, or an IP address";
      throw invalid({ field: "identifier", description, reason: "REQUIRED" });
    }
    const normalised = normaliseForLogin(identifier);
    const identity =
      normalised === undefined ? undefined : await this.#deps.identities.findByIdentifier(tenant, normalised);
    const now = this.#deps.clock.now();
    const idle = idleSince(tenant.settings.session, now);
    const owns = identity === undefined ? [] : await this.#deps.store.ownOf(tenant, identity.id, now, idle);
    const name = identifier === "" ? undefined : (normalised ?? identifier);
    const keys = countedBy({ name, ipAddress, identity, owns }).flatMap(({ limits, subjects, own }) =>
      limits.flatMap((limit) =>
        subjectOf(limitRules[limit].by, subjects, own).map(
          (subject): NamedKey => ({ name: limit, key: counterKey(this.#deps.digests, limit, subject) }),
        ),
      ),
    );
    const distinct = [...new Map(keys.map((each) => [`${each.name} ${hexOf(each.key)}`, each])).values()];
    // In the order in which an attempt counts them.
    const ordered = distinct.sort(
      (left, right) =>
        limitRules[left.name].stage - limitRules[right.name].stage || Buffer.compare(left.key, right.key),
    );
    return { keys: ordered, identityId: identity?.id };
  }
}

/** Limits, and what they may have counted. */
interface Counted {
  readonly limits: readonly SharedLimitName[];
  readonly subjects: ThrottleSubjects;
  readonly own?: Uint8Array;
}

/** All counters that a name and an IP address can have. */
function countedBy(about: {
  readonly name: string | undefined;
  /** The IP address; empty: none. */
  readonly ipAddress: string;
  readonly identity: Identity | undefined;
  /** Proofs of the owner. */
  readonly owns: readonly Uint8Array[];
}): readonly Counted[] {
  const { name, identity, owns } = about;
  const clientIp = about.ipAddress === "" ? undefined : { clientIp: about.ipAddress, isShared: false };
  const names = name === undefined ? [] : [name];
  // A message goes to one of these, by any name that it was asked for by.
  const mailboxes = [...names, ...(identity?.verifiableAddresses ?? []).map(({ value }) => value)];
  return [
    { limits: clientIpLimits, subjects: { clientIp } },
    ...purposesOf({ recipient: name, clientIp }).map((subjects) => ({ limits: pairLimits, subjects })),
    { limits: nameLimits, subjects: { accounts: names, recipient: name } },
    { limits: identityLimits, subjects: { accounts: names, identityId: identity?.id, holder: identity?.id } },
    ...mailboxes.map((mailbox) => ({
      limits: mailboxLimits,
      subjects: { mailbox, registrationMailbox: mailbox },
    })),
    ...owns.flatMap((own) =>
      mailboxes.flatMap((recipient) =>
        purposesOf({ recipient, identityId: identity?.id }).map((subjects) => ({
          limits: ownLimits,
          subjects,
          own,
        })),
      ),
    ),
  ];
}

/** The subject in each kind of flow. */
function purposesOf(subjects: ThrottleSubjects): readonly ThrottleSubjects[] {
  return purposes.map((purpose) => ({ ...subjects, purpose }));
}

function counterOf(name: SharedLimitName, limit: Limit, spentUntilUs: number, now: Date): ThrottleCounter {
  const { costUs, periodUs } = inMicroseconds(limit);
  const nowUs = now.getTime() * 1000;
  const availableUs = spentUntilUs + costUs - periodUs;
  return {
    name,
    scope: limitRules[name].scope,
    limit,
    used: Math.min(limit.count, Math.ceil((spentUntilUs - nowUs) / costUs)),
    availableAt: availableUs > nowUs ? new Date(Math.ceil(availableUs / 1000)) : undefined,
    emptyAt: new Date(Math.ceil(spentUntilUs / 1000)),
  };
}
