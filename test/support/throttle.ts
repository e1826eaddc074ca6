import type { LimitName, ThrottleSettings } from "../../src/domain/throttle/limits.ts";

const names: readonly LimitName[] = [
  ...(["account", "account_daily", "device", "device_daily", "address", "flow", "registration"] as const),
  ...(["recipient", "recipient_daily", "sending"] as const),
  ...(["flow_create", "flow_submit", "self_service", "failed_authentication"] as const),
];

/** Limits that no test reaches, as in YAML: throttling works as ever, and is in nobody's way. */
export const wideThrottleConfig: object = Object.fromEntries(
  names.map((name) => [name, { count: 1_000_000, period: "24h" }]),
);

/** The same, as the domain has them. */
export const wideThrottle: ThrottleSettings = {
  enabled: true,
  deviceLifetimeMs: 180 * 86_400_000,
  limits: Object.fromEntries(
    [...names, "mailbox", "mailbox_daily"].map((name) => [name, { count: 1_000_000, periodMs: 86_400_000 }]),
  ) as ThrottleSettings["limits"],
};
