/**
 * What is counted, as data. An action is guarded by several limits; all of them are counted in one statement, stage
 * after stage: what an earlier stage refuses costs the later ones nothing. So a client IP that is refused cannot use
 * up an account, and a device that tries faster than its short limit allows does not use up the long one.
 */
import type { SharedLimitName } from "../tenant/throttle-settings.ts";

/** Subject of a limit as the metadata of RATE_LIMITED, in words that are safe to show. */
export type LimitScope = "account" | "device" | "address" | "flow" | "recipient";

/**
 * What stands for whom a limit counts. `own` is a device that the identity knows, or a live session of the identity; the
 * rest of the names are fields of `ThrottleSubjects`. `+` counts each pair of both by itself.
 */
export type LimitSubject =
  | "clientIp"
  | "flow"
  | "account"
  | "identity"
  | "own"
  | "holder"
  | "mailbox"
  | "registrationMailbox"
  | "recipient"
  | "recipient+purpose"
  | "recipient+clientIp"
  | "recipient+clientIp+purpose"
  | "own+recipient";

/** Rule of a limit that all servers count together. */
interface LimitRule {
  readonly scope: LimitScope;
  readonly by: LimitSubject;
  readonly stage: 1 | 2 | 3 | 4;
  /**
   * Whom it counts: only who shows that they are the owner, by a device that the identity knows or a live session of it;
   * only who does not; or everybody.
   *
   * Security rule (SR-LIMIT-2): no counter is shared by strangers and the owner of an account, so that strangers cannot use up what the
   * owner needs to get in.
   */
  readonly who: "owner" | "strangers" | "everybody";
  /**
   * What a success does to the counter: `reset` empties it (ASVS V6.3.1: on success only), `refund` gives back this
   * one attempt, so that only failures count, `keep` leaves it.
   */
  readonly onSuccess: "reset" | "refund" | "keep";
  /**
   * Security rule (SR-ENUM-9): a counter that several names of an account share must not be seen, or it would tell that they belong
   * together. What it refuses is answered as if it had been let through: a secret is wrong, a message is not sent.
   */
  readonly isSilent?: true;
}

function rule(
  scope: LimitScope,
  by: LimitSubject,
  stage: LimitRule["stage"],
  who: LimitRule["who"],
  onSuccess: LimitRule["onSuccess"],
  silent?: "silent",
): LimitRule {
  return { scope, by, stage, who, onSuccess, ...(silent && { isSilent: true }) };
}

/** The rules, one a limit: scope, subject, stage, whom it counts, what a success does, and whether it is silent. */
export const limitRules: Readonly<Record<SharedLimitName, LimitRule>> = {
  // Only failures, or an office behind one client IP would shut itself out.
  address: rule("address", "clientIp", 1, "strangers", "refund"),
  flow: rule("flow", "flow", 1, "everybody", "keep"),
  registration: rule("address", "clientIp", 1, "everybody", "keep"),
  sending: rule("address", "clientIp", 1, "strangers", "keep"),
  account: rule("account", "account", 2, "strangers", "reset"),
  account_daily: rule("account", "account", 3, "strangers", "reset"),
  identity_daily: rule("account", "identity", 4, "strangers", "reset", "silent"),
  device: rule("device", "own", 2, "owner", "reset"),
  device_daily: rule("device", "own", 3, "owner", "reset"),
  // What is asked for at one address stops none at another one, nor one kind of flow another one.
  recipient: rule("recipient", "recipient+clientIp+purpose", 2, "strangers", "keep"),
  recipient_daily: rule("recipient", "recipient+clientIp", 3, "strangers", "keep"),
  recipient_total: rule("recipient", "recipient", 4, "strangers", "keep"),
  mailbox: rule("recipient", "mailbox", 4, "strangers", "keep", "silent"),
  registration_mailbox: rule("recipient", "registrationMailbox", 4, "everybody", "keep", "silent"),
  own_recipient: rule("recipient", "own+recipient", 2, "owner", "keep"),
  own_recipient_daily: rule("recipient", "own+recipient", 3, "owner", "keep"),
  // By purpose: an account can claim a foreign address and ask to verify it, but not sign in by it.
  own_recipient_total: rule("recipient", "recipient+purpose", 4, "owner", "keep"),
  // Security rule (SR-LIMIT-15): an account can name another address each time, so that no limit of a recipient holds it.
  holder_messages: rule("account", "holder", 4, "strangers", "keep"),
  own_messages: rule("account", "identity", 4, "owner", "keep"),
  wrong_codes: rule("account", "identity", 4, "strangers", "reset", "silent"),
  own_wrong_codes: rule("device", "own", 4, "owner", "reset", "silent"),
};

/** An action that is throttled. */
export type ThrottledAction =
  /** Tries a secret that an account always has: a password, a second factor. */
  | "login"
  /** As login, on behalf of a person whose IP address and device are not known. */
  | "password_check"
  /**
   * Tries a one-time code that the flow waits for; it has its own few tries. Neither the account's counters nor the
   * address's stop it: this is how its owner gets in from a new device, or from a shared address, while others guess.
   */
  | "code_check"
  /** Uses a link that was opened. It has 256 random bits, so only the flow counts it. */
  | "link_check"
  /** Tries a code or link that the flow does not wait for any more. */
  | "late_check"
  /** Makes an account. */
  | "registration"
  /** As registration, where a message follows. */
  | "registration_sending"
  /** Has a code or link sent. */
  | "code_send";

/**
 * Which limits guard which action. Those of the owner count in place of those of strangers where the owner is known; limits
 * whose subject is not given are left out.
 */
export const actionLimits: Readonly<Record<ThrottledAction, readonly SharedLimitName[]>> = {
  login: ["address", "flow", "account", "account_daily", "identity_daily", "device", "device_daily"],
  password_check: ["account", "account_daily", "identity_daily"],
  code_check: ["flow", "wrong_codes", "own_wrong_codes"],
  link_check: ["flow"],
  late_check: ["address", "flow"],
  registration: ["registration", "flow"],
  registration_sending: ["registration", "flow", "sending", "registration_mailbox"],
  code_send: [
    "sending",
    "flow",
    "recipient",
    "recipient_daily",
    "recipient_total",
    "mailbox",
    "registration_mailbox",
    "own_recipient",
    "own_recipient_daily",
    "own_recipient_total",
    "holder_messages",
    "own_messages",
  ],
};

/** Counters that are only read, as they were before the attempt. At most one of them applies to an attempt. */
export const watchedLimits: Readonly<Partial<Record<ThrottledAction, readonly SharedLimitName[]>>> = {
  code_check: ["wrong_codes", "own_wrong_codes"],
  code_send: ["wrong_codes", "own_wrong_codes"],
};
