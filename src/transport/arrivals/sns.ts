import { verify, X509Certificate } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { JsonValue } from "../../domain/json.ts";
import type { Clock, OutgoingHttp } from "../../domain/ports.ts";
import { textAt } from "./told.ts";

interface SnsDependencies {
  readonly http: OutgoingHttp;
  readonly clock: Clock;
}

/** A message of a topic, of which it is known that Amazon sent it. */
export type SnsMessage =
  | { readonly kind: "notification"; readonly message: string }
  | { readonly kind: "subscription"; readonly confirm: () => Promise<boolean> }
  | { readonly kind: "other" };

/** The texts that are signed, in this order, of each type (Amazon SNS, "Verifying the signatures of Amazon SNS messages"). */
const signedNames: Readonly<Record<string, readonly string[]>> = {
  Notification: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
  SubscriptionConfirmation: [
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
  ],
  UnsubscribeConfirmation: ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
};

const digests: Readonly<Record<string, string>> = { "1": "sha1", "2": "sha256" };

const fetchMs = 5_000;
const mostCertificateBytes = 16 * 1024;

/** Knows messages of Amazon SNS by their signature. */
export class Sns {
  readonly #deps: SnsDependencies;
  /** What was fetched, or is being fetched, by its URL. One that failed is not asked for again for a while. */
  readonly #certificates = new LRUCache<string, Promise<X509Certificate | undefined>>({
    max: 20,
    ttl: 10 * 60_000,
  });

  constructor(deps: SnsDependencies) {
    this.#deps = deps;
  }

  /**
   * A message of one of the topics; undefined if it is none, or is not signed by Amazon.
   *
   * Security rule (SR-MAIL-9): nothing of it counts before its signature was checked, by a certificate that was read from a host of Amazon's
   * of the topic's region; and only for topics that the configuration names is anything read from there.
   */
  async open(body: JsonValue, topics: readonly string[]): Promise<SnsMessage | undefined> {
    const topic = textAt(body, "TopicArn");
    const type = textAt(body, "Type") ?? "";
    const names = Object.hasOwn(signedNames, type) ? signedNames[type] : undefined;
    const digest = digests[textAt(body, "SignatureVersion") ?? ""];
    if (topic === undefined || !topics.includes(topic) || names === undefined || digest === undefined)
      return undefined;
    const url = amazonUrl(textAt(body, "SigningCertURL"), topic);
    if (url === undefined || !/^\/SimpleNotificationService-[0-9a-f]{20,64}\.pem$/.test(url.pathname))
      return undefined;
    const certificate = await this.#certificateAt(url.href);
    const now = this.#deps.clock.now();
    if (certificate === undefined || now < certificate.validFromDate || now > certificate.validToDate)
      return undefined;
    const signature = Buffer.from(textAt(body, "Signature") ?? "", "base64");
    const content = Buffer.from(signedText(body, names));
    if (!verify(digest, content, certificate.publicKey, signature)) return undefined;
    if (type === "Notification") return { kind: "notification", message: textAt(body, "Message") ?? "" };
    if (type !== "SubscriptionConfirmation") return { kind: "other" };
    const subscribe = amazonUrl(textAt(body, "SubscribeURL"), topic);
    return {
      kind: "subscription",
      confirm: async () => subscribe !== undefined && (await this.#get(subscribe.href)) !== undefined,
    };
  }

  async #certificateAt(url: string): Promise<X509Certificate | undefined> {
    const known = this.#certificates.get(url);
    if (known !== undefined) return known;
    const fetched = this.#get(url).then((pem) => {
      try {
        return pem === undefined ? undefined : new X509Certificate(pem);
      } catch {
        return undefined;
      }
    });
    this.#certificates.set(url, fetched);
    const certificate = await fetched;
    if (certificate === undefined) this.#certificates.set(url, fetched, { ttl: 10_000 });
    return certificate;
  }

  /** What is at a URL of Amazon's; undefined if it cannot be read. */
  async #get(url: string): Promise<string | undefined> {
    try {
      const response = await this.#deps.http.fetch(url, {
        timeoutMs: fetchMs,
        maxResponseBytes: mostCertificateBytes,
        followsRedirects: false,
      });
      const bytes = new Uint8Array(await response.arrayBuffer());
      return response.ok ? Buffer.from(bytes).toString() : undefined;
    } catch {
      // The provider tries again later.
      return undefined;
    }
  }
}

/** A URL of SNS in the region of a topic; undefined for any other. */
function amazonUrl(text: string | undefined, topic: string): URL | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const [, partition, , region = ""] = topic.split(":");
  const domain = partition === "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com";
  const isOurs =
    url.protocol === "https:" && url.host === `sns.${region}.${domain}` && /^[a-z0-9-]+$/.test(region);
  return isOurs && url.username === "" && url.password === "" ? url : undefined;
}

function signedText(body: JsonValue, names: readonly string[]): string {
  return names
    .flatMap((name) => {
      const text = textAt(body, name);
      return text === undefined ? [] : [`${name}\n${text}\n`];
    })
    .join("");
}
