import { AddressProof } from "../../gen/ostiary/config/v1/config_pb.js";
import type { CompleteConfig } from "./complete-config.ts";
import { isLoopbackAddress, isLoopbackHost } from "./hosts.ts";
import type { Problem } from "./problems.ts";

const prefix = "tenant_defaults.courier";

/** What contradicts itself in the courier's configuration. */
export function checkCourier({ tenantDefaults: { courier } }: CompleteConfig): Problem[] {
  const problems: Problem[] = [];
  if (courier.smtp !== undefined && courier.http !== undefined) {
    problems.push({
      key: `${prefix}.http`,
      message: `must not be there together with ${prefix}.smtp: both send mail`,
    });
  }
  if ((courier.smtp !== undefined || courier.http !== undefined) && courier.fromAddress === "") {
    const message = `must be set where mail is sent, for example no-reply@example.com`;
    problems.push({ key: `${prefix}.from_address`, message });
  }
  // Security rule (peers D4.19): what stands in a header holds nothing that could begin another one.
  for (const [name, text] of Object.entries({
    from_name: courier.fromName,
    from_address: courier.fromAddress,
  })) {
    if (/[\p{Cc}\u2028\u2029]/u.test(text)) {
      problems.push({ key: `${prefix}.${name}`, message: "must not contain control characters" });
    }
  }
  return problems;
}

/** Where messages go. */
export type CourierMode =
  /** To a provider, by the channels that are configured. */
  | "providers"
  /** Nowhere: they are kept and shown on this machine. */
  | "mailbox"
  /** Nowhere, and nobody could read them. */
  | "none";

/**
 * Where messages go. The development mailbox is the default on a machine that only serves itself.
 *
 * Security rule: the mailbox shows everybody's codes to whoever runs the server. So it is never what a deployment falls
 * back to: it needs the embedded database, both listeners on loopback and no public URL elsewhere, or `--dev`.
 */
export function courierModeOf(config: CompleteConfig, embedded: boolean): CourierMode {
  const { courier } = config.tenantDefaults;
  if ([courier.smtp, courier.http, courier.sms].some((provider) => provider !== undefined)) {
    return "providers";
  }
  return config.dev || (embedded && isLocalOnly(config)) ? "mailbox" : "none";
}

/** Whether the page `/mailbox` may be served: never beyond this machine, also not in development mode. */
export function mayServeMailbox(config: CompleteConfig, embedded: boolean): boolean {
  return courierModeOf(config, embedded) === "mailbox" && isLocalOnly(config);
}

/**
 * What to warn of if flows of the configuration send messages and there is nothing to send them with: they wait in the queue,
 * and go out once there is a courier.
 */
export function checkCourierPresence(config: CompleteConfig, embedded: boolean): Problem[] {
  const { courier } = config.tenantDefaults;
  if (!sends(config) || courierModeOf(config, embedded) === "mailbox") return [];
  if (courier.smtp !== undefined || courier.http !== undefined) return [];
  const message =
    "needs smtp or http: flows of this configuration send mail, which waits until then. Or switch them off: verification, recovery, code.login and code.registration";
  return [{ key: prefix, message }];
}

/** Whether any flow of the configuration sends messages. */
function sends({ tenantDefaults: { flows, code, link } }: CompleteConfig): boolean {
  const { registration, verification, recovery } = flows;
  return (
    verification.enabled ||
    recovery.enabled ||
    code.login ||
    link.enabled ||
    (registration.enabled && (code.registration || registration.addressProof === AddressProof.BEFORE_SESSION))
  );
}

function isLocalOnly({ server, tenantDefaults: { publicUrl } }: CompleteConfig): boolean {
  return (
    isLoopbackAddress(server.public.host) &&
    isLoopbackAddress(server.admin.host) &&
    (publicUrl === "" || isLoopbackHost(new URL(publicUrl).hostname))
  );
}
