/**
 * What is counted, as data. An action is guarded by several limits; all of them are counted in one statement, stage
 * after stage: what an earlier stage refuses costs the later ones nothing. So an address that is refused cannot use
 * up an account, and a device that tries faster than its short limit allows does not use up the long one.
 */

/** So many attempts at once; they are given back evenly over the period. */
export interface Limit {
  readonly count: number;
  readonly periodMs: number;
}

/** What a limit counts, in words that are safe to show: the metadata of RATE_LIMITED. */
export type LimitScope = "account" | "device" | "address" | "flow" | "recipient";

/** The limits that all servers count together, in the database. */
export type SharedLimitName =
  | "account"
  | "account_daily"
  | "device"
  | "device_daily"
  | "address"
  | "flow"
  | "registration"
  | "recipient"
  | "recipient_daily"
  | "mailbox"
  | "mailbox_daily"
  | "sending";

/** The limits that each server process counts by itself: they guard its own work, not a secret. */
export type LocalLimitName = "flow_create" | "flow_submit" | "self_service" | "failed_authentication";

/** All limits, by their keys in the configuration. */
export type LimitName = SharedLimitName | LocalLimitName;

/** The settings of throttling. */
export interface ThrottleSettings {
  readonly enabled: boolean;
  /** How long a device is known after its last login. */
  readonly deviceLifetimeMs: number;
  readonly limits: Readonly<Record<LimitName, Limit>>;
}

/** How a limit that all servers share is counted. */
interface LimitRule {
  readonly scope: LimitScope;
  readonly stage: 1 | 2 | 3;
  /**
   * What a success does to the counter: `reset` empties it (ASVS V6.3.1: on success only), `refund` gives back this
   * one attempt, so that only failures count, `keep` leaves it.
   */
  readonly onSuccess: "reset" | "refund" | "keep";
}

/** The rules, one a limit. */
export const limitRules: Readonly<Record<SharedLimitName, LimitRule>> = {
  // Only failures, or an office behind one address would shut itself out.
  address: { scope: "address", stage: 1, onSuccess: "refund" },
  flow: { scope: "flow", stage: 1, onSuccess: "keep" },
  registration: { scope: "address", stage: 1, onSuccess: "keep" },
  sending: { scope: "address", stage: 1, onSuccess: "keep" },
  account: { scope: "account", stage: 2, onSuccess: "reset" },
  device: { scope: "device", stage: 2, onSuccess: "reset" },
  recipient: { scope: "recipient", stage: 2, onSuccess: "keep" },
  account_daily: { scope: "account", stage: 3, onSuccess: "reset" },
  device_daily: { scope: "device", stage: 3, onSuccess: "reset" },
  recipient_daily: { scope: "recipient", stage: 3, onSuccess: "keep" },
  mailbox: { scope: "recipient", stage: 1, onSuccess: "keep" },
  mailbox_daily: { scope: "recipient", stage: 2, onSuccess: "keep" },
};

/** What somebody does that is throttled. */
export type ThrottledAction =
  /** Tries a secret that an account always has: a password, a second factor. */
  | "login"
  /** As login, on behalf of somebody whose address and device are not known. */
  | "password_check"
  /**
   * Tries a one-time code, which has its own few tries. The account's counters are left out on purpose: this is how
   * its owner gets in from a new device while others guess.
   */
  | "code_check"
  /** Makes an account. */
  | "registration"
  /** Has a code or link sent. */
  | "code_send"
  /**
   * Has it sent to an address that need not be what was typed. Counted by itself: what is refused here is refused in
   * silence, and a counter that `code_send` shows must not tell which address a name leads to.
   */
  | "code_delivery";

/**
 * Which limits guard which action. Device limits count in place of the account's where the device is known; limits
 * whose subject is not given are left out.
 */
export const actionLimits: Readonly<Record<ThrottledAction, readonly SharedLimitName[]>> = {
  login: ["address", "flow", "account", "account_daily", "device", "device_daily"],
  password_check: ["account", "account_daily"],
  code_check: ["address", "flow"],
  registration: ["registration", "flow"],
  code_send: ["sending", "flow", "recipient", "recipient_daily"],
  code_delivery: ["mailbox", "mailbox_daily"],
};
