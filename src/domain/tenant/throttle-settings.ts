/** So many attempts at once; they are given back evenly over the period. */
export interface Limit {
  readonly count: number;
  readonly periodMs: number;
}

/** The limits that all servers count together, in the database. */
export type SharedLimitName =
  | "account"
  | "account_daily"
  | "identity_daily"
  | "device"
  | "device_daily"
  | "address"
  | "flow"
  | "registration"
  | "recipient"
  | "recipient_daily"
  | "recipient_total"
  | "own_recipient"
  | "own_recipient_daily"
  | "own_recipient_total"
  | "holder_messages"
  | "own_messages"
  | "mailbox"
  | "registration_mailbox"
  | "sending"
  | "wrong_codes"
  | "own_wrong_codes";

/** The limits that each server process counts by itself: they guard its own work, not a secret. */
export type LocalLimitName = "flow_create" | "flow_submit" | "self_service" | "failed_authentication";

/** All limits. */
export type LimitName = SharedLimitName | LocalLimitName;

/** The settings of throttling. */
export interface ThrottleSettings {
  readonly enabled: boolean;
  /** How long a device is known after its last login. */
  readonly deviceLifetimeMs: number;
  /** How many times a limit by address holds for all clients of an unlisted proxy together. */
  readonly unlistedProxyFactor: number;
  readonly limits: Readonly<Record<LimitName, Limit>>;
}
