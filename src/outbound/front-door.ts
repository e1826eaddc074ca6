/** Looks at the server from outside: what answers at its public URL. */
import { connect, type PeerCertificate } from "node:tls";

/** What answers at a URL. */
export type Answer =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly headers: Headers;
      readonly body: string;
    }
  /** Nothing, or not as it should: in the network's or TLS's own words. */
  | { readonly kind: "failed"; readonly code: string; readonly reason: string };

const timeoutMs = 10_000;
const maxBodyLength = 10_000;

/** Asks a URL. A redirect is an answer, and not followed. */
export async function ask(
  url: string,
  options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  try {
    const response = await fetch(url, {
      ...options,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    const { status, headers } = response;
    return { kind: "answered", status, headers, body: (await response.text()).slice(0, maxBodyLength) };
  } catch (error) {
    let cause: unknown = error;
    while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
    if (cause instanceof AggregateError) cause = cause.errors[0];
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
    return { kind: "failed", code, reason };
  }
}

/** When the certificate of an https URL ends; undefined if that cannot be seen. Whether it is valid is for `ask`. */
export function certificateEndOf(url: URL): Promise<Date | undefined> {
  return new Promise((resolve) => {
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = url.port === "" ? 443 : Number(url.port);
    const socket = connect({ host, port, servername: host, rejectUnauthorized: false, timeout: timeoutMs });
    const end = (certificate?: PeerCertificate) => {
      socket.destroy();
      const date = certificate?.valid_to === undefined ? undefined : new Date(certificate.valid_to);
      resolve(date === undefined || Number.isNaN(date.getTime()) ? undefined : date);
    };
    socket.once("secureConnect", () => end(socket.getPeerCertificate()));
    socket.once("error", () => end());
    socket.once("timeout", () => end());
  });
}
