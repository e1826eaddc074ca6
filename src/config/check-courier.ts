import { durationMs } from "@bufbuild/protobuf/wkt";
import { AddressProof, RegistrationMode, SmtpUtf8 } from "../../gen/ostiary/config/v1/config_pb.js";
import type { MailReachMode } from "../domain/courier/mail-reach.ts";
import { readSendGridKey } from "../domain/courier/send-grid-key.ts";
import { isLoopbackAddress, isLoopbackHost } from "../domain/hosts.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { type Problem, problemIf } from "./problems.ts";

const prefix = "tenant_defaults.courier";

/** Contradictions in the courier's configuration, and features that need a courier where there is none. */
export function checkCourier(config: CompleteConfig): Problem[] {
  const { courier } = config.tenantDefaults;
  const headers = {
    "tenant_defaults.branding.name": config.tenantDefaults.branding.name,
    [`${prefix}.from_address`]: courier.fromAddress,
  };
  return [
    ...checkSending(config),
    ...checkSmtp(config),
    ...checkSms(config),
    ...checkReports(config),
    ...problemIf(
      durationMs(courier.retry.firstDelay) > durationMs(courier.retry.maxDelay),
      `${prefix}.retry.first_delay`,
      `must not be longer than ${prefix}.retry.max_delay`,
    ),
    ...problemIf(
      courier.email.provider.case !== undefined && courier.fromAddress === "",
      `${prefix}.from_address`,
      "must be set where mail is sent, for example no-reply@example.com",
    ),
    // Security rule (SR-MAIL-1): what stands in a header holds nothing that could begin another one.
    ...Object.entries(headers).flatMap(([key, text]) =>
      problemIf(/[\p{Cc}\u2028\u2029]/u.test(text), key, "must not contain control characters"),
    ),
  ];
}

/** Refuses a server that is named twice, because the two names may differ. */
function checkSmtp({ tenantDefaults: { courier } }: CompleteConfig): Problem[] {
  const { provider } = courier.email;
  if (provider.case !== "smtp" || provider.value.url === undefined) return [];
  const { host, port, user, password, implicitTls } = provider.value;
  const beside = {
    host: host !== "",
    port: port !== 0,
    user: user !== "",
    password: password !== undefined,
    implicit_tls: implicitTls !== undefined,
  };
  const message = `must not be there together with ${prefix}.email.smtp.url, which says it already`;
  return Object.entries(beside).flatMap(([name, isSet]) =>
    problemIf(isSet, `${prefix}.email.smtp.${name}`, message),
  );
}

/** Refuses reports of a provider that cannot come, or whose key cannot be read. */
function checkReports({ tenantDefaults: { courier } }: CompleteConfig): Problem[] {
  const { ses, postmark, sendgrid } = courier.reports;
  const key = `${prefix}.reports`;
  const isTold = ses !== undefined || postmark !== undefined || sendgrid !== undefined;
  return [
    ...problemIf(
      isTold && courier.email.provider.case === undefined,
      key,
      `tells of mail, and none is sent: configure ${prefix}.email.smtp or ${prefix}.email.http, or leave it out`,
    ),
    ...problemIf(
      sendgrid !== undefined && readSendGridKey(sendgrid.publicKey) === undefined,
      `${key}.sendgrid.public_key`,
      "must be the verification key that SendGrid shows: the base64 form of an ECDSA key",
    ),
  ];
}

/**
 * Security rule (SR-SMS-3): a provider of text messages without a list of countries is refused, as nothing could be sent, and a second
 * factor by text message without anything to send it.
 */
function checkSms(config: CompleteConfig): Problem[] {
  const { courier, smsFactor } = config.tenantDefaults;
  const isSent = courier.sms.provider.case !== undefined;
  return [
    ...problemIf(
      isSent && courier.sms.countries.length === 0,
      `${prefix}.sms.countries`,
      "must name the countries that text messages are sent to, for example [DE, AT, CH]",
    ),
    ...problemIf(
      smsFactor.enabled && !isSent && courierModeOf(config) !== "mailbox",
      "tenant_defaults.sms_factor.enabled",
      `sends text messages: configure ${prefix}.sms.http, or leave it out`,
    ),
  ];
}

/** Destination of messages. */
export type CourierMode =
  /** To a provider, by the channels that are configured. */
  | "providers"
  /** Nowhere: they are kept and shown on this machine. */
  | "mailbox"
  /** Nowhere: there is neither a provider nor a mailbox, so nothing is sent. */
  | "none";

/**
 * Destination of messages. The development mailbox is the default on a machine that only serves itself.
 *
 * Security rule (SR-MAIL-5): the mailbox shows the codes of all people to the operator. So it is never the fallback of a
 * deployment: it needs the embedded database, both listeners on loopback and no public URL elsewhere, or `--dev`.
 */
export function courierModeOf(config: CompleteConfig): CourierMode {
  const { email, sms } = config.tenantDefaults.courier;
  if (email.provider.case !== undefined || sms.provider.case !== undefined) return "providers";
  const isEmbedded = config.database.url === undefined;
  return config.dev || (isEmbedded && isLocalOnly(config)) ? "mailbox" : "none";
}

/** What is known of the addresses that mail reaches. A provider over HTTP and the mailbox take all. */
export function mailReachMode({ tenantDefaults: { courier } }: CompleteConfig): MailReachMode {
  const { provider } = courier.email;
  if (provider.case !== "smtp") return "yes";
  return smtpUtf8[provider.value.utf8];
}

const smtpUtf8: Record<SmtpUtf8, MailReachMode> = {
  [SmtpUtf8.UNSPECIFIED]: "auto",
  [SmtpUtf8.AUTO]: "auto",
  [SmtpUtf8.YES]: "yes",
  [SmtpUtf8.NO]: "no",
};

/** Whether the page `/mailbox` may be served: never beyond this machine, also not in development mode. */
export function mayServeMailbox(config: CompleteConfig): boolean {
  return courierModeOf(config) === "mailbox" && isLocalOnly(config);
}

/** The parts of flows that cannot do without messages, by their keys. Unset, they are on where messages can be sent. */
function sendingParts({ tenantDefaults: { flows, code } }: CompleteConfig) {
  return {
    "flows.verification.enabled": flows.verification.enabled,
    "flows.recovery.enabled": flows.recovery.enabled,
    "code.login": code.login,
    "code.registration": code.registration,
  } satisfies Record<string, boolean | undefined>;
}

/** Features that are switched on and send messages, while no delivery is configured. */
function checkSending(config: CompleteConfig): Problem[] {
  if (courierModeOf(config) !== "none") return [];
  const { flows, link } = config.tenantDefaults;
  const wanted = {
    ...sendingParts(config),
    "flows.registration.address_proof":
      flows.registration.mode !== RegistrationMode.CLOSED &&
      flows.registration.addressProof === AddressProof.BEFORE_SESSION,
    "link.enabled": link.enabled,
  };
  const message = `sends messages: configure ${prefix}.email.smtp or ${prefix}.email.http, or leave it out`;
  return Object.entries(wanted).flatMap(([key, isOn]) =>
    problemIf(isOn === true, `tenant_defaults.${key}`, message),
  );
}

/** Warnings about messages that cannot be delivered. */
export function checkCourierPresence(config: CompleteConfig): Problem[] {
  const { courier } = config.tenantDefaults;
  const parts = Object.values(sendingParts(config));
  if (courierModeOf(config) === "none") {
    if (!parts.includes(undefined)) return [];
    const message =
      "is not configured: verification, recovery and codes are switched off, as nothing could send their messages";
    return [{ key: prefix, message }];
  }
  const sendsMail = courier.email.provider.case !== undefined;
  if (courierModeOf(config) === "mailbox" || sendsMail || !parts.some((isOn) => isOn !== false)) return [];
  return [
    {
      key: prefix,
      message: "needs email.smtp or email.http: until then mail waits, only text messages are sent",
    },
  ];
}

function isLocalOnly({ server, tenantDefaults: { publicUrl } }: CompleteConfig): boolean {
  return (
    isLoopbackAddress(server.public.host) &&
    isLoopbackAddress(server.admin.host) &&
    (publicUrl === "" || isLoopbackHost(new URL(publicUrl).hostname))
  );
}
