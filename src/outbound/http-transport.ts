import { Webhook } from "standardwebhooks";
import type { Delivery, DeliveryResult, MessageTransport } from "../domain/courier/delivery.ts";
import { reasonFor } from "../domain/courier/reason.ts";
import type { Clock, OutgoingHttp } from "../domain/ports.ts";
import type { Secret } from "../domain/secret.ts";

interface HttpTransportOptions {
  /** The URL that messages are posted to. Read for each message. */
  readonly url: () => Secret;
  /** Each of them signs, so that the receiver can be told a new one before the old one goes. Asked at each message. */
  readonly signingSecrets: () => readonly Secret[];
  /** Sender of mail; undefined for text messages. */
  readonly from: { readonly address: string; readonly name: string } | undefined;
  readonly http: OutgoingHttp;
  /** Time limit of an answer of the provider. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * Posts messages as JSON, signed as Standard Webhooks 1.0.0 has it. The message's id is `webhook-id` and
 * `idempotency-key` at every attempt, so that a message that comes twice can be known.
 */
export function createHttpTransport(options: HttpTransportOptions): MessageTransport {
  return {
    keepsMessages: false,
    deliver: async (delivery, attempt) => {
      // The provider may have the message as soon as it is on its way.
      attempt.handOver(options.timeoutMs);
      try {
        return await post(options, delivery);
      } catch (error) {
        const reason = reasonFor(delivery, `no answer: ${reasonOf(error)}`);
        return { kind: "failed", permanent: false, isOutage: true, error: reason };
      }
    },
  };
}

async function post(options: HttpTransportOptions, delivery: Delivery): Promise<DeliveryResult> {
  const { id } = delivery;
  const now = options.clock.now();
  const body = JSON.stringify(bodyOf(options, delivery, now));
  const signatures = options
    .signingSecrets()
    .map((secret) => new Webhook(secret.reveal()).sign(id, now, body));
  const response = await options.http.fetch(options.url().reveal(), {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "user-agent": "ostiary",
      "idempotency-key": id,
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
      "webhook-signature": signatures.join(" "),
    },
    body,
    timeoutMs: options.timeoutMs,
  });
  const said = response.ok ? undefined : await beginningOf(response);
  await response.body?.cancel().catch(() => {});
  return resultOf(response, now, reasonFor(delivery, answerOf(response.status, said?.text), said?.isCut));
}

/** The longest part of an answer that is read for its reason, and how long it may take. */
const readBytes = 4_096;
const readMs = 1_000;

/** The beginning of what a provider says to a refusal. Empty if it cannot be read: the status says the most. */
async function beginningOf({ body }: Response): Promise<{ readonly text: string; readonly isCut: boolean }> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let isCut = false;
  const reader = body?.getReader();
  const timer = setTimeout(() => void reader?.cancel().catch(() => {}), readMs);
  try {
    while (reader !== undefined) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      bytes += value.length;
      isCut = bytes > readBytes;
      if (isCut) break;
    }
  } catch {
    isCut = true;
  } finally {
    clearTimeout(timer);
    reader?.releaseLock();
  }
  return { text: Buffer.concat(chunks).subarray(0, readBytes).toString(), isCut };
}

function answerOf(status: number, said = ""): string {
  const text = said.trim();
  return `the provider answered ${status}${text === "" ? "" : `: ${text}`}`;
}

function bodyOf({ from }: HttpTransportOptions, delivery: Delivery, now: Date): object {
  const { id, recipient, language, template, message } = delivery;
  const common = { message_id: id, recipient, language, template };
  const { channel, ...parts } = message;
  const data = channel === "email" ? { ...common, from, ...parts } : { ...common, ...parts };
  return { type: `message.${channel}`, timestamp: now.toISOString(), data };
}

/**
 * The statuses that say of the message itself that it will not be taken: all other refusals are about the provider, its address, our key
 * or the network, which somebody will put right (RFC 9110, section 15.5).
 */
const aboutMessage: ReadonlySet<number> = new Set([400, 409, 413, 414, 415, 422, 451]);

function resultOf({ status, ok, headers }: Response, now: Date, error: string): DeliveryResult {
  if (ok) return { kind: "sent" };
  const permanent = aboutMessage.has(status);
  const retryAfterMs = retryAfterOf(headers.get("retry-after"), now);
  return { kind: "failed", permanent, isOutage: !permanent, error, retryAfterMs };
}

/** Reads both forms (RFC 9110, section 10.2.3): seconds, and a date. */
function retryAfterOf(header: string | null, now: Date): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  // Date.parse takes much more than HTTP's dates, which all begin with the day of the week.
  const time = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(time) ? undefined : Math.max(0, time - now.getTime());
}

/** The cause of undici's "fetch failed", which says more. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  const { cause } = error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  return code ?? error.message;
}
