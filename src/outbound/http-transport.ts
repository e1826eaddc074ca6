import { Webhook } from "standardwebhooks";
import type { Delivery, DeliveryResult, MessageTransport } from "../domain/courier/delivery.ts";
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
    deliver: async (delivery) => {
      try {
        return await post(options, delivery);
      } catch (error) {
        return { kind: "failed", permanent: false, error: `no answer: ${reasonOf(error)}` };
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
  // What the provider says beside the status is not kept: it may quote the message.
  await response.body?.cancel();
  return resultOf(response);
}

function bodyOf({ from }: HttpTransportOptions, delivery: Delivery, now: Date): object {
  const { id, recipient, language, template, message } = delivery;
  const common = { message_id: id, recipient, language, template };
  const { channel, ...parts } = message;
  const data = channel === "email" ? { ...common, from, ...parts } : { ...common, ...parts };
  return { type: `message.${channel}`, timestamp: now.toISOString(), data };
}

function resultOf({ status, ok, headers }: Response): DeliveryResult {
  if (ok) return { kind: "sent" };
  // 408 and 429 say that the same request may work later; of the other 4xx none does (RFC 9110, section 15.5).
  const permanent = status >= 400 && status < 500 && status !== 408 && status !== 429;
  const retryAfterMs = retryAfterOf(headers.get("retry-after"));
  return { kind: "failed", permanent, error: `the provider answered ${status}`, retryAfterMs };
}

/** Reads the form in seconds; the form with a date is ignored. */
function retryAfterOf(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}

/** The cause of undici's "fetch failed", which says more. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  const { cause } = error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  return code ?? error.message;
}
