/** The wiring of the courier, apart from src/app.ts to keep that readable. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import type { AppOptions } from "./app-types.ts";
import { courierModeOf, mayServeMailbox } from "./config/check-courier.ts";
import { ConfigError } from "./config/problems.ts";
import type { Arrivals } from "./domain/courier/arrivals.ts";
import type { MessageTransport, MessageTransports } from "./domain/courier/delivery.ts";
import { MailReach } from "./domain/courier/mail-reach.ts";
import { Mailbox } from "./domain/courier/mailbox.ts";
import { isProof } from "./domain/courier/message.ts";
import { MessageSender } from "./domain/courier/message-sender.ts";
import type { Outbox } from "./domain/courier/outbox.ts";
import type { CourierStore } from "./domain/courier/store.ts";
import { isAddress } from "./domain/hosts.ts";
import type { MessageId } from "./domain/ids.ts";
import { isAtOrBelow } from "./domain/method/passkey/origins.ts";
import type { Clock, OutgoingHttp } from "./domain/ports.ts";
import { Secret } from "./domain/secret.ts";
import { shareOf } from "./domain/shares.ts";
import type { Tenants } from "./domain/tenant/tenant.ts";
import type { SmsLimits } from "./domain/throttle/sms-limits.ts";
import { startCourierWorkers } from "./outbound/courier-worker.ts";
import { createHttpTransport } from "./outbound/http-transport.ts";
import { mailboxTransport } from "./outbound/mailbox-transport.ts";
import { LiquidRenderer } from "./outbound/templates/liquid-renderer.ts";
import { languagesOf, readTemplateFiles, TemplateError } from "./outbound/templates/template-files.ts";
import { postmarkIdName, sendGridIdName, sesIdName } from "./transport/arrivals/told.ts";
import { MailboxAccess } from "./transport/pages/mailbox/mailbox-access.ts";
import { createLinkFiles } from "./transport/pages/mailbox/mailbox-links.ts";
import { mailboxRoutes } from "./transport/pages/mailbox/mailbox-routes.ts";

type Config = AppOptions["config"];

/**
 * The renderer of the configured templates. Throws a TemplateError that names file and line if one of them cannot be
 * used. The built-in ones are known to work, so they are tried only where files of one's own may change them.
 */
export async function createRenderer({ config }: Pick<Config, "config">): Promise<LiquidRenderer> {
  const { branding, courier } = config.tenantDefaults;
  const { templateDirectory, defaultLanguage } = courier;
  const directory = templateDirectory === "" ? undefined : templateDirectory;
  const { files, overridden } = readTemplateFiles(directory);
  const languages = languagesOf(files);
  if (!languages.some((language) => primaryOf(language) === primaryOf(defaultLanguage))) {
    const key = "tenant_defaults.courier.default_language";
    throw new ConfigError([
      `${key}: there are no templates in ${defaultLanguage}; there is ${languages.join(", ")}`,
    ]);
  }
  const renderer = new LiquidRenderer({
    files,
    defaultLanguage,
    serviceName: branding.name,
    support: supportOf(config.tenantDefaults),
    pageDomain: pageDomainOf(config.tenantDefaults),
  });
  try {
    if (overridden.length > 0) await renderer.check();
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new TemplateError(`a template of ${templateDirectory} cannot be used: ${error.message}`);
  }
  return renderer;
}

/** Where people get help: the address for mail, else the page. */
function supportOf({ branding, publicUrl }: Config["config"]["tenantDefaults"]): string {
  const { supportEmail, supportUrl } = branding;
  if (supportEmail !== "" || supportUrl === "") return supportEmail;
  return URL.canParse(supportUrl, publicUrl) ? new URL(supportUrl, publicUrl).href : "";
}

/** The domain of the pages: that of passkeys, where the page to log in is at or below it. Empty for an IP address. */
function pageDomainOf({ passkey, publicUrl, flows }: Config["config"]["tenantDefaults"]): string {
  const page = flows.login.uiUrl || publicUrl;
  const host = URL.canParse(page) ? new URL(page).hostname : "";
  if (isAddress(host)) return "";
  return passkey.rpId !== "" && isAtOrBelow(host, passkey.rpId) ? passkey.rpId : host;
}

/** `de` of `de-AT`. */
function primaryOf(language: string): string | undefined {
  return language.toLowerCase().split("-")[0];
}

/** Starts the workers of this process. */
export async function startCourier(
  options: AppOptions,
  courier: {
    readonly store: CourierStore;
    readonly outbox: Outbox;
    readonly renderer: LiquidRenderer;
    readonly smsLimits: SmsLimits;
    readonly mailReach: MailReach;
    readonly arrivals: Arrivals;
    readonly tenants: Tenants;
    readonly http: OutgoingHttp;
    readonly clock: Clock;
    readonly openChannel: (onMessages?: () => void) => { stop(): Promise<void> };
  },
): Promise<{ stop(withinMs: number): Promise<void> }> {
  const { config, logger } = options;
  const workers = shareOf(config.config.server.courier.workers, options.worker);
  // What this process writes is announced to the workers of others.
  if (workers === 0) return courier.openChannel();
  const { retry } = config.config.tenantDefaults.courier;
  const { transports, close } = await createTransports(config, courier);
  const sender = new MessageSender({
    ...courier,
    transports,
    takeTextMessage: (message) =>
      courier.smsLimits.take(message, courier.tenants.byHost(undefined).settings.sms, {
        ...message,
        isNotice: !isProof(message.template),
      }),
    noteAddressGone: (message, reason) => courier.arrivals.refused(message, message, reason),
    logger,
    retry: {
      maxAttempts: retry.maxAttempts,
      firstDelayMs: durationMs(retry.firstDelay),
      maxDelayMs: durationMs(retry.maxDelay),
    },
  });
  const running = startCourierWorkers({ sender, workers, logger });
  const channel = courier.openChannel(() => running.wake());
  return {
    stop: async (withinMs) => {
      await Promise.all([channel.stop(), running.stop(withinMs)]);
      close();
    },
  };
}

/**
 * Signs in to the mail server as a delivery does, and sends nothing. Undefined where no mail server is configured; throws what the
 * server or the network said.
 */
export async function tryMailServer(
  config: Config,
  parts: { readonly http: OutgoingHttp; readonly clock: Clock },
): Promise<"signed in" | undefined> {
  const { verify, close } = await createTransports(config, { ...parts, mailReach: new MailReach("auto") });
  try {
    if (verify === undefined) return undefined;
    await verify();
    return "signed in";
  } finally {
    close();
  }
}

async function createTransports(
  { config, secrets }: Config,
  {
    http,
    clock,
    mailReach,
  }: { readonly http: OutgoingHttp; readonly clock: Clock; readonly mailReach: MailReach },
): Promise<{
  readonly transports: MessageTransports;
  /** Undefined where there is no mail server. */
  readonly verify?: () => Promise<void>;
  readonly close: () => void;
}> {
  const { branding, courier } = config.tenantDefaults;
  const { email, sms } = courier;
  if (courierModeOf(config) === "mailbox") {
    return { transports: { email: mailboxTransport, sms: mailboxTransport }, close: () => {} };
  }
  const from = { address: courier.fromAddress, name: branding.name };
  const overHttp = (channel: "email" | "sms", { timeout }: { timeout: Duration }): MessageTransport =>
    createHttpTransport({
      url: () => knownUrl(secrets.messageUrl(channel)),
      signingSecrets: () => secrets.messageSigning(channel),
      from: channel === "email" ? from : undefined,
      http,
      timeoutMs: durationMs(timeout),
      clock,
    });
  const byHttp = {
    ...(email.provider.case === "http" && { email: overHttp("email", email.provider.value) }),
    ...(sms.provider.case === "http" && { sms: overHttp("sms", sms.provider.value) }),
  };
  const server = secrets.smtpServer();
  if (email.provider.case !== "smtp" || server === undefined) return { transports: byHttp, close: () => {} };
  const smtp = email.provider.value;
  // Loaded only where it is used.
  const { createSmtpTransport } = await import("./outbound/smtp-transport.ts");
  const bySmtp = createSmtpTransport({
    server,
    clientName: clientNameOf(config),
    allowPlainText: smtp.allowPlainText,
    authorities: smtp.caFile === "" ? undefined : readFileSync(smtp.caFile, "utf8"),
    timeouts: { connectMs: durationMs(smtp.timeout) },
    reach: mailReach,
    from,
    idHeaders: idHeadersOf(courier.reports),
  });
  return {
    transports: { ...byHttp, email: bySmtp },
    verify: () => bySmtp.verify(),
    close: () => bySmtp.close(),
  };
}

/** The headers by which the providers that report on mail give its id back: most of them give it a Message-ID of their own. */
function idHeadersOf(reports: Config["config"]["tenantDefaults"]["courier"]["reports"]) {
  const { ses, postmark, sendgrid } = reports;
  return (id: MessageId): Readonly<Record<string, string>> => ({
    ...(ses && { "X-SES-MESSAGE-TAGS": `${sesIdName}=${id}` }),
    ...(postmark && { [`X-PM-Metadata-${postmarkIdName}`]: id }),
    ...(sendgrid && { "X-SMTPAPI": JSON.stringify({ unique_args: { [sendGridIdName]: id } }) }),
  });
}

function knownUrl(url: Secret | undefined): Secret {
  if (url === undefined) throw new Error("an endpoint without an address is refused at the start");
  return url;
}

/** RFC 5321, section 4.1.1.1: the client's domain name. Strict servers refuse what has no dot, as in a container. */
function clientNameOf({ tenantDefaults }: Config["config"]): string | undefined {
  const { publicUrl, courier } = tenantDefaults;
  const { provider } = courier.email;
  if (provider.case === "smtp" && provider.value.clientName !== "") return provider.value.clientName;
  const host = publicUrl === "" ? "" : new URL(publicUrl).hostname;
  return host.includes(".") && !isAddress(host) ? host : undefined;
}

/** The name of the file in the data directory by which `ostiary mailbox` finds and enters the mailbox. */
export const mailboxFile = "mailbox-token";

/** The development mailbox as the server serves it; undefined if this configuration has none, or may not show it. */
export async function openMailbox(
  { config }: Config,
  mailbox: ConstructorParameters<typeof Mailbox>[0] & { readonly tenants: Tenants },
) {
  if (!mayServeMailbox(config)) return undefined;
  const { dataDirectory } = config.database;
  const token = await findMailboxToken(dataDirectory);
  const access = new MailboxAccess(new Secret(token), createLinkFiles(join(dataDirectory, "mailbox-links")));
  return {
    routes: mailboxRoutes({ mailbox: new Mailbox(mailbox), access, tenants: mailbox.tenants }),
    /** Tells the command line where the mailbox is; gives a link that opens it once. */
    announce: async (): Promise<string> => {
      const { mailboxUrl } = mailbox.tenants.byHost(undefined).settings;
      await writeMailboxFile(dataDirectory, `${new URL(mailboxUrl).origin}\n${token}\n`);
      return `${mailboxUrl}?token=${access.newLinkToken()}`;
    },
  };
}

/** The token of the last start, so that a browser that was let in stays so; or a new one. */
async function findMailboxToken(dataDirectory: string): Promise<string> {
  const before = await readFile(join(dataDirectory, mailboxFile), "utf8").catch(() => "");
  return /\n([0-9a-f]{64})\n$/.exec(before)?.[1] ?? randomBytes(32).toString("hex");
}

/** Beside its place and then over it: the file never exists half, and never with the rights of an older one. */
async function writeMailboxFile(dataDirectory: string, text: string): Promise<void> {
  const file = join(dataDirectory, mailboxFile);
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  await writeFile(draft, text, { mode: 0o600, flag: "wx" });
  await rename(draft, file);
}
