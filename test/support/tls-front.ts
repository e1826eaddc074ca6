import { request as passOn } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { selfSignedCertificate } from "./certificate.ts";

/** What hosts of one port lead to. */
export interface TlsFront {
  /** `https://host:port` */
  urlOf(host: string): string;
  /** Leads a host to a server at an `http:` URL. */
  lead(host: string, url: string): void;
  /** Has a host answer everything with a page that is empty. */
  leadToPage(host: string): void;
  stop(): Promise<void>;
}

/**
 * Starts a proxy that ends TLS on a free port of loopback, for as many hosts as are wanted: real names in front of servers
 * of a test, whose public URL is so known before they start. Browsers must be told not to check its certificate.
 */
export async function startTlsFront(): Promise<TlsFront> {
  const servers = new Map<string, string>();
  const server = createServer(selfSignedCertificate(), (request, response) => {
    const [host = ""] = (request.headers.host ?? "").split(":");
    const target = servers.get(host);
    if (target === undefined || target === "page") {
      response.writeHead(target === undefined ? 404 : 200, { "content-type": "text/html" });
      response.end("<!doctype html><title>A page</title>");
      return;
    }
    const { hostname, port } = new URL(target);
    const headers = { ...request.headers, "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https" };
    const upstream = passOn(
      { hostname, port, path: request.url, method: request.method, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    upstream.on("error", () => response.destroy());
    request.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    urlOf: (host) => `https://${host}:${port}`,
    lead: (host, url) => servers.set(host, url),
    leadToPage: (host) => servers.set(host, "page"),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
