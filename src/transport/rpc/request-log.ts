import { Code, type ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "../../domain/ports.ts";
import type { Call } from "./call.ts";
import { namesOf } from "./caller.ts";
import { reasonOf } from "./errors.ts";

/** A call that has ended. */
export interface FinishedCall {
  /** `ostiary.session.v1.SessionService/CheckSession`; `unknown` if this listener has no such method. */
  readonly method: string;
  /** `connect`, `grpc`, `grpc-web`; `http` if it was refused before that was known. */
  readonly protocol: string;
  /** Whether calls of this method are logged at `debug` only. */
  readonly quiet: boolean;
  readonly error: ConnectError | undefined;
  readonly call: Call;
}

/** Writes the log of calls. */
export type RequestLog = (call: FinishedCall, durationMs: number) => void;

/**
 * Makes the log: one line a call, at `debug` for checks and health and at `info` for the rest, and one more at
 * `error` with the cause where something failed that should not have. Neither bodies nor headers are ever logged,
 * so no secret can be.
 */
export function createRequestLog(logger: Logger): RequestLog {
  return ({ method, protocol, error, quiet, call }, durationMs) => {
    const { id: requestId, clientIp, forwarder, caller } = call;
    const { id: callerId } = namesOf(caller);
    if (error?.code === Code.Internal) {
      logger.error({ requestId, method, err: error.cause ?? error }, "call failed");
    }
    const fields = {
      method,
      code: codeName(error),
      ...(error === undefined ? {} : { reason: reasonOf(error) }),
      protocol,
      durationMs: Math.round(durationMs * 100) / 100,
      requestId,
      address: clientIp,
      ...(forwarder === undefined ? {} : { forwardedBy: forwarder.apiKey.id }),
      caller: caller.kind,
      ...(callerId === undefined ? {} : { callerId }),
    };
    if (quiet) logger.debug(fields, "call");
    else logger.info(fields, "call");
  };
}

/** The name of how a call ended: `ok`, or the code of its error. */
export function codeName(error: ConnectError | undefined): string {
  return error === undefined ? "ok" : codeToString(error.code);
}
