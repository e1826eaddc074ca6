import type { LimitName, ThrottleSettings } from "../../src/domain/tenant/throttle-settings.ts";

const names: readonly LimitName[] = [
  ...(["account", "account_daily", "device", "device_daily", "address", "flow", "registration"] as const),
  ...([
    "recipient",
    "recipient_daily",
    "recipient_total",
    "sending",
    "identity_daily",
    "wrong_codes",
  ] as const),
  ...(["flow_create", "flow_submit", "self_service", "failed_authentication"] as const),
];

/** Limits that no test reaches, as in YAML: throttling works as ever, and is in nobody's way. */
export const wideThrottleConfig: object = Object.fromEntries(
  names.map((name) => [name, { count: 1_000_000, period: "24h" }]),
);

/** Those that have no key of their own. */
const derived: readonly LimitName[] = [
  ...(["mailbox", "registration_mailbox", "own_wrong_codes", "holder_messages", "own_messages"] as const),
  ...(["own_recipient", "own_recipient_daily", "own_recipient_total"] as const),
];

/** The same, as the domain has them. */
export const wideThrottle: ThrottleSettings = {
  enabled: true,
  deviceLifetimeMs: 180 * 86_400_000,
  unlistedProxyFactor: 10,
  limits: Object.fromEntries(
    [...names, ...derived].map((name) => [name, { count: 1_000_000, periodMs: 86_400_000 }]),
  ) as ThrottleSettings["limits"],
};
