import { domainError } from "../../domain/errors.ts";
import type { FieldViolationReason } from "../../domain/field-violation.ts";
import type { Exchange } from "../net/exchange.ts";
import { plainIp } from "../net/peers.ts";

/**
 * The header with the API key of a server that calls for its users. It is not `Authorization`, which may hold the user's
 * session token. CORS allows none of the three headers, so no page of another origin can send them.
 */
export const forwardingKeyHeader = "ostiary-api-key";
const addressHeader = "ostiary-client-address";
const userAgentHeader = "ostiary-client-user-agent";

/** The scope that such a key needs. */
export const forwardingScope = "client:forward";

/** The user for whom a server calls. */
export interface ForwardedClient {
  readonly clientIp: string;
  readonly userAgent: string | undefined;
}

/**
 * Reads the user of a call with the key of such a server. Throws REQUEST_INVALID, which names the header.
 *
 * Security rule (SR-ACCESS-5): users never share the IP address of the app by mistake. With a key the header must be there and be one IP
 * address.
 */
export function readForwardedClient(exchange: Exchange): ForwardedClient {
  const text = exchange.header(addressHeader);
  if (text === undefined) throw invalidAddress("REQUIRED", `is required with ${forwardingKeyHeader}`);
  const clientIp = plainIp(text);
  if (clientIp === undefined)
    throw invalidAddress("FORMAT", "must be one IPv4 or IPv6 address, without a port");
  return { clientIp, userAgent: exchange.header(userAgentHeader) };
}

function invalidAddress(reason: FieldViolationReason, problem: string) {
  return domainError(
    "REQUEST_INVALID",
    {},
    {
      message: `The header ${addressHeader} ${problem}.`,
      violations: [{ field: addressHeader, description: `the header ${problem}`, reason }],
    },
  );
}
