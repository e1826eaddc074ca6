/** Where it is told whether mail arrives: `/courier/reports/<who>`. */
import { createHash, type KeyObject, timingSafeEqual } from "node:crypto";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { RateClass } from "../../gen/ostiary/option/v1/option_pb.js";
import type { Arrivals } from "../domain/courier/arrivals.ts";
import type { ArrivalReport } from "../domain/courier/store.ts";
import { domainError } from "../domain/errors.ts";
import type { Clock, OutgoingHttp } from "../domain/ports.ts";
import type { Secret } from "../domain/secret.ts";
import { readMailReport } from "./arrivals/mail-report.ts";
import { readPostmark } from "./arrivals/postmark.ts";
import { isSignedBySendGrid, readSendGrid } from "./arrivals/sendgrid.ts";
import { readSes } from "./arrivals/ses.ts";
import { Sns } from "./arrivals/sns.ts";
import { jsonIn } from "./arrivals/told.ts";
import type { GuardedPages } from "./dispatcher.ts";
import { arrivalReports } from "./metrics/catalogue.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { Exchange } from "./net/exchange.ts";
import { respondJson } from "./pages/json.ts";
import type { Call } from "./rpc/call.ts";
import { retryAfterSeconds, toConnectError } from "./rpc/errors.ts";
import type { GuardedRoute, Pipeline } from "./rpc/pipeline.ts";

/** The scope that an API key needs to hand in reports. */
export const reportScope = "courier:report";

/** The providers whose reports are taken, as the configuration has them (`tenant_defaults.courier.reports`). */
export interface ReportSources {
  readonly ses: { readonly topicArns: readonly string[] } | undefined;
  /** The password is asked for at each report: a reload changes it. */
  readonly postmark: { readonly user: string; readonly password: () => Secret | undefined } | undefined;
  readonly sendgrid: { readonly publicKey: KeyObject } | undefined;
}

/** What the paths of reports are made of. */
export interface ArrivalReportParts {
  readonly arrivals: Arrivals;
  readonly sources: ReportSources;
  readonly http: OutgoingHttp;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

interface Source {
  readonly name: "mail" | keyof ReportSources;
  readonly route: GuardedRoute;
  /** The reports in a body; undefined: it was sent by somebody else, or cannot be read. */
  read(exchange: Exchange, body: Uint8Array): Promise<readonly ArrivalReport[] | undefined>;
  /** Refuses before the body is read. */
  isRefused?(exchange: Exchange): boolean;
}

const prefix = "/courier/reports/";

/** A report has the mail that it is about, or its beginning. */
const mailBytes = 256 * 1024;
/** SNS: 256 kB; Postmark: one message. */
const webhookBytes = 300 * 1024;
/** SendGrid, "Event Webhook": up to 768 kB. */
const sendGridBytes = 800 * 1024;

/** The path of the admin listener: an operator's mail server hands in the mail that comes back. */
export function mailReportPages(parts: ArrivalReportParts, pipeline: Pipeline): GuardedPages {
  return new ReportPages(parts, pipeline, [
    {
      name: "mail",
      route: {
        name: `${prefix}mail`,
        access: { kind: "api_key", scope: reportScope },
        rateClass: RateClass.ADMIN_WRITE,
        maxRequestBytes: mailBytes,
      },
      read: (_exchange, body) => readMailReport(body),
    },
  ]);
}

/** The paths of the public listener: those of the providers that are configured. */
export function providerReportPages(parts: ArrivalReportParts, pipeline: Pipeline): GuardedPages {
  const { ses, postmark, sendgrid } = parts.sources;
  return new ReportPages(parts, pipeline, [
    ...(ses === undefined ? [] : [sesSource(ses, new Sns(parts))]),
    ...(postmark === undefined ? [] : [postmarkSource(postmark)]),
    ...(sendgrid === undefined ? [] : [sendGridSource(sendgrid)]),
  ]);
}

function open(name: keyof ReportSources, maxRequestBytes: number): GuardedRoute {
  const access = { kind: "anyone", withSession: false } as const;
  return { name: `${prefix}${name}`, access, rateClass: RateClass.FLOW_SUBMIT, maxRequestBytes };
}

function sesSource({ topicArns }: NonNullable<ReportSources["ses"]>, sns: Sns): Source {
  return {
    name: "ses",
    route: open("ses", webhookBytes),
    read: async (_exchange, body) => {
      const json = jsonIn(body);
      const message = json === undefined ? undefined : await sns.open(json, topicArns);
      if (message === undefined) return undefined;
      if (message.kind === "subscription") return (await message.confirm()) ? [] : undefined;
      if (message.kind !== "notification") return [];
      const said = jsonIn(Buffer.from(message.message));
      return said === undefined ? [] : readSes(said);
    },
  };
}

function postmarkSource({ user, password }: NonNullable<ReportSources["postmark"]>): Source {
  return {
    name: "postmark",
    route: open("postmark", webhookBytes),
    // Security rule (SR-MAIL-9): Postmark signs nothing; it shows a password, and nothing of a post without it is read.
    isRefused: (exchange) => {
      const expected = password();
      const [, shown = ""] =
        /^Basic ([A-Za-z0-9+/]{1,2000}={0,2})$/i.exec(exchange.header("authorization") ?? "") ?? [];
      const wanted = Buffer.from(`${user}:${expected?.reveal()}`).toString("base64");
      return expected === undefined || !isSame(shown, wanted);
    },
    read: async (_exchange, body) => {
      const json = jsonIn(body);
      return json === undefined ? undefined : readPostmark(json);
    },
  };
}

function sendGridSource({ publicKey }: NonNullable<ReportSources["sendgrid"]>): Source {
  const header = "x-twilio-email-event-webhook-";
  return {
    name: "sendgrid",
    route: open("sendgrid", sendGridBytes),
    read: async (exchange, body) => {
      const signature = exchange.header(`${header}signature`) ?? "";
      const timestamp = exchange.header(`${header}timestamp`) ?? "";
      // Security rule (SR-MAIL-9): nothing of a post is parsed before its signature was checked.
      if (!isSignedBySendGrid(publicKey, { signature, timestamp, body })) return undefined;
      const json = jsonIn(body);
      return json === undefined ? undefined : readSendGrid(json);
    },
  };
}

function isSame(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

/** Takes reports, and answers as programs expect that send again what was not answered with 2xx. */
class ReportPages implements GuardedPages {
  readonly name = prefix.slice(0, -1);
  readonly methods = ["POST"];
  readonly #parts: ArrivalReportParts;
  readonly #pipeline: Pipeline;
  readonly #sources: ReadonlyMap<string, Source>;

  constructor(parts: ArrivalReportParts, pipeline: Pipeline, sources: readonly Source[]) {
    this.#parts = parts;
    this.#pipeline = pipeline;
    this.#sources = new Map(sources.map((source) => [`${prefix}${source.name}`, source]));
  }

  has(path: string): boolean {
    return this.#sources.has(path);
  }

  async serve(call: Call): Promise<unknown> {
    const { exchange, headers } = call;
    const source = this.#sources.get(exchange.path);
    if (source === undefined) throw new Error("asked for a path that is not served");
    try {
      await this.#pipeline.admit(call, source.route);
      const taken = await this.#take(call, source);
      respondJson(exchange, headers, 200, taken);
      return undefined;
    } catch (error) {
      const failed = toConnectError(error, call.id);
      const retryAfter = retryAfterSeconds(failed);
      if (retryAfter !== undefined) headers["retry-after"] = String(retryAfter);
      respondJson(exchange, headers, codeToHttpStatus(failed.code), { error: failed.rawMessage });
      return error;
    }
  }

  async #take(call: Call, source: Source) {
    const { arrivals, metrics } = this.#parts;
    const { exchange, tenant, origin } = call;
    const count = (outcome: string, by = 1) =>
      metrics.count(arrivalReports, { source: source.name, outcome }, by);
    const maxBytes = source.route.maxRequestBytes;
    const body = source.isRefused?.(exchange) === true ? undefined : await exchange.readBody({ maxBytes });
    const reports = body === undefined ? undefined : await source.read(exchange, body);
    if (reports === undefined) {
      count("refused");
      throw domainError("ARRIVAL_REPORT_REFUSED", {});
    }
    const result = await arrivals.take(tenant, origin, reports);
    if (result.taken > 0) count("taken", result.taken);
    if (result.ignored > 0 || reports.length === 0) count("ignored", Math.max(1, result.ignored));
    return result;
  }
}
