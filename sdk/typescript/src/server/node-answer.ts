// SPDX-License-Identifier: Apache-2.0
import type { SessionRefusedError } from "./refusal.ts";
import { headOfNode, type NodeRequest } from "./request-head.ts";
import { tell } from "./tell.ts";

/** The part of node:http's `ServerResponse` that is answered with; the optional members are for answers to failures. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent?: boolean;
  readonly writableEnded?: boolean;
  setHeader(name: string, value: string | readonly string[]): unknown;
  getHeaderNames?(): readonly string[];
  removeHeader?(name: string): unknown;
  end(body: string): unknown;
  destroy?(error?: Error): unknown;
}

/** Told what a handler threw. */
type ErrorListener = ((error: unknown) => unknown) | undefined;

/** Answers a request that a guard did not let through. */
export function answerRefusal(response: NodeResponse, refusal: SessionRefusedError): void {
  // Somebody else, such as a time-out of the app's own, has answered meanwhile. Setting headers would throw.
  if (response.headersSent === true) return;
  response.statusCode = refusal.status;
  for (const [name, value] of Object.entries(refusal.toHeaders())) response.setHeader(name, value);
  if (refusal.setCookies.length > 0) response.setHeader("set-cookie", refusal.setCookies);
  response.end(JSON.stringify(refusal.toBody()));
}

/**
 * Runs a handler of node:http, which does not look at what its listeners throw or reject with.
 *
 * Security rule (SR-SDK-1): what one request makes a handler throw must not end the process, and with it everybody else's.
 */
export async function run(
  response: NodeResponse,
  onError: ErrorListener,
  handler: () => Promise<unknown>,
): Promise<void> {
  try {
    await handler();
  } catch (error) {
    answerFailure(response, 500);
    await tell(onError ?? logError, error);
  }
}

/** Runs a middleware: what goes wrong in it, or is thrown by what comes next, is the business of `next(error)`. */
export async function handOn(
  response: NodeResponse,
  next: (error?: unknown) => unknown,
  middleware: () => Promise<unknown>,
): Promise<void> {
  try {
    await middleware();
  } catch (error) {
    await run(response, undefined, async () => next(error));
  }
}

/**
 * Wraps a request listener of node:http or node:http2, such as that of `connectNodeAdapter`: a request without a Host, or
 * with one that no URL can have, is answered 400; the others go on to the listener. What it throws or rejects with is
 * answered 500 and logged by `console.error`.
 *
 * Security rule (SR-SDK-1): Connect's adapter makes a URL of the Host header and throws where nobody catches it, so that one request
 * of a stranger would end the process.
 */
export function withValidHost<
  Incoming extends NodeRequest & { readonly url?: string | undefined },
  Outgoing extends NodeResponse,
>(
  listener: (request: Incoming, response: Outgoing) => unknown,
): (request: Incoming, response: Outgoing) => Promise<void> {
  return (request, response) =>
    run(response, undefined, async () => {
      if (hasValidHost(request)) return listener(request, response);
      return answerFailure(response, 400);
    });
}

function hasValidHost(request: NodeRequest & { readonly url?: string | undefined }): boolean {
  const { host } = headOfNode(request);
  // None of the characters that would end the host within a URL, so that what follows cannot pass for another one.
  if (!/^[^\s/?#@\\]+$/.test(host) || !URL.canParse(`http://${host}`)) return false;
  return URL.canParse(request.url ?? "", `http://${host}`);
}

const failures = {
  400: { code: "invalid_argument", message: "The request's Host or path is not valid." },
  500: { code: "internal", message: "The request could not be handled." },
} as const;

/** The last resort, which must not throw: a fresh answer, or the end of one that has begun. */
function answerFailure(response: NodeResponse, status: keyof typeof failures): void {
  try {
    if (response.writableEnded === true) return;
    if (response.headersSent === true) {
      response.destroy?.();
      return;
    }
    // What was meant for another answer, such as its length or a cookie, must not go with this one.
    for (const name of response.getHeaderNames?.() ?? []) response.removeHeader?.(name);
    response.statusCode = status;
    response.setHeader("content-type", "application/json");
    response.setHeader("cache-control", "no-store");
    response.end(JSON.stringify(failures[status]));
  } catch {
    // The connection is gone; nobody is there to be answered.
  }
}

function logError(error: unknown): void {
  // biome-ignore lint/suspicious/noConsole: the app has named no place for it, and silence would hide its bugs
  console.error(error);
}
