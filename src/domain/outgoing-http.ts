/**
 * What kept a request from being answered. The first four are rules of this server: trying again changes nothing.
 *
 * - `url_refused`: not http or https, with a username, or no URL at all.
 * - `port_refused`: a port that the configuration does not open.
 * - `address_refused`: the host has no public address.
 * - `redirect_refused`: too many redirects, one from https to http, or one onto a private network.
 * - `too_large`: the answer is larger than the caller reads.
 * - `timed_out`: the answer was not complete in time.
 * - `unreachable`: no connection, or one that broke; also a certificate that is not trusted.
 */
export type OutgoingHttpProblem =
  | "url_refused"
  | "port_refused"
  | "address_refused"
  | "redirect_refused"
  | "too_large"
  | "timed_out"
  | "unreachable";

/** A request to somewhere else that was not answered. The message names the host only, never a path or an address. */
export class OutgoingHttpError extends Error {
  override readonly name = "OutgoingHttpError";
  readonly problem: OutgoingHttpProblem;

  constructor(problem: OutgoingHttpProblem, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.problem = problem;
  }
}
