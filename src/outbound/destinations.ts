import { bareHost, readHostAndPort } from "../domain/hosts.ts";
import { OutgoingHttpError } from "../domain/outgoing-http.ts";

/** Allowed destinations of requests, from the configuration. */
export interface DestinationOptions {
  /** `host` or `host:port`, exactly, that may be on a private network. */
  readonly allowedPrivateHosts: readonly string[];
  /** Ports beside 80 and 443. */
  readonly extraPorts: readonly number[];
}

/** Decides about URLs by what stands in them; addresses are looked at when they are connected to. */
export interface Destinations {
  /** Throws OutgoingHttpError if the URL may not be called. */
  assertAllowed(url: URL): void;
  /** Whether the configuration names this host, so that its addresses may be private. */
  isExempt(hostname: string, port: number): boolean;
}

const usualPorts = [80, 443];

/** Makes the rules. Throws a RangeError for a host that is not `host` or `host:port`. */
export function createDestinations({ allowedPrivateHosts, extraPorts }: DestinationOptions): Destinations {
  const ports = new Set([...usualPorts, ...extraPorts]);
  const exempt = new Set(allowedPrivateHosts.map(exemptionOf));
  const isNamed = (hostname: string, port: number) => exempt.has(`${bareHost(hostname)} ${port}`);
  const isExempt = (hostname: string, port: number) =>
    isNamed(hostname, port) || (ports.has(port) && exempt.has(bareHost(hostname)));
  return {
    isExempt,
    assertAllowed(url) {
      if (url.protocol !== "https:" && url.protocol !== "http:") {
        throw new OutgoingHttpError("url_refused", `only http and https are called, not ${url.protocol}`);
      }
      if (url.username !== "" || url.password !== "") {
        throw new OutgoingHttpError("url_refused", "a URL with a user name or password is not called");
      }
      const port = portOf(url);
      if (!ports.has(port) && !isNamed(url.hostname, port)) {
        const remedy = "list it in server.outbound.extra_ports to allow it";
        throw new OutgoingHttpError(
          "port_refused",
          `port ${port} of ${url.hostname} is not called: ${remedy}`,
        );
      }
    },
  };
}

/** The port that a URL is called at. */
export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

/** The entry in the form in which hosts are compared: the parser's own, so `LOCALHOST` and `0x7f.1` are found. */
function exemptionOf(text: string): string {
  const read = readHostAndPort(text);
  if (read === undefined) {
    throw new RangeError(`server.outbound.allowed_private_hosts: "${text}" is neither host nor host:port`);
  }
  const host = bareHost(new URL(`http://${read.host}`).hostname);
  return read.port === undefined ? host : `${host} ${read.port}`;
}
