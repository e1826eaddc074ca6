// SPDX-License-Identifier: Apache-2.0
import {
  type FetchRequest,
  forwardingHeaderOf,
  headOfNode,
  isFetch,
  type NodeRequest,
} from "./request-head.ts";

/**
 * The address to forward. Throws a TypeError if it is not given and cannot be found in any request of this kind; what
 * depends on the request itself is thrown by the function that comes back, so that no request fails where nobody catches.
 *
 * Security rule (SR-SDK-7): users never share an address by default. To Ostiary they would be one client: a stranger who guesses
 * through the app would use up the limits of all its users.
 */
export function clientAddressOf(options: {
  readonly request: FetchRequest | NodeRequest;
  readonly clientAddress?: string | undefined;
}): () => string {
  const { request, clientAddress } = options;
  if (clientAddress !== undefined) {
    if (typeof clientAddress !== "string" || clientAddress === "") {
      throw new TypeError("clientAddress must be the user's address, such as 192.0.2.7");
    }
    return () => clientAddress;
  }
  if (isFetch(request)) {
    throw new TypeError("clientAddress is needed: a request of Fetch does not tell the user's address");
  }
  return () => socketAddressOf(request);
}

function socketAddressOf(request: NodeRequest): string {
  const { header } = headOfNode(request);
  const forwarding = forwardingHeaderOf(header);
  if (forwarding !== undefined) {
    throw new TypeError(
      `clientAddress is needed: the header ${forwarding} says that a proxy sent the request, so its socket has the proxy's address`,
    );
  }
  const address = request.socket?.remoteAddress;
  if (address === undefined)
    throw new TypeError("clientAddress is needed: the request's socket has no address");
  return address;
}
