import { createServer, type Server } from "node:http";
import type { AddressInfo, Server as NetServer } from "node:net";
import { create } from "@bufbuild/protobuf";
import { durationMs, timestampNow } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { RemedySchema } from "../../gen/ostiary/error/v1/error_detail_pb.js";
import { AssuranceLevel } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionState } from "../../gen/ostiary/session/v1/session_pb.js";
import {
  type CheckSessionRequest,
  CheckSessionRequestSchema,
  SessionService,
  SessionView,
} from "../../gen/ostiary/session/v1/session_service_pb.js";

/** A server of one method, CheckSession, whose answers a test can dictate. */
export interface SessionServer {
  readonly url: string;
  /** What was asked, oldest first. */
  readonly asked: CheckSessionRequest[];
  /** Set: what every check throws, in place of an answer. */
  failure: ConnectError | undefined;
  stop(): Promise<void>;
}

/** The one session that there is: signed in with one factor. */
export const goodToken = "ost_ses_good";

/** Starts the server on a free port of loopback. */
export async function startSessionServer(): Promise<SessionServer> {
  const asked: CheckSessionRequest[] = [];
  const state: { failure: ConnectError | undefined } = { failure: undefined };
  const routes = (router: ConnectRouter) =>
    router.service(SessionService, {
      checkSession(request) {
        asked.push(create(CheckSessionRequestSchema, request));
        if (state.failure !== undefined) throw state.failure;
        return check(request);
      },
    });
  const server = createServer(connectNodeAdapter({ routes }));
  const url = await listen(server);
  return {
    url,
    asked,
    get failure() {
      return state.failure;
    },
    set failure(failure) {
      state.failure = failure;
    },
    stop: () => close(server),
  };
}

/** Listens on a free port of loopback. */
export async function listen(server: NetServer): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Stops a server and its connections. */
export async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** An error as Ostiary makes them. */
export function refusal(code: Code, reason: string, more: { remedy?: string; retrySeconds?: number } = {}) {
  return new ConnectError(`refused: ${reason}`, code, undefined, [
    { desc: ErrorInfoSchema, value: { reason, domain: "ostiary", metadata: { key: "value" } } },
    { desc: RemedySchema, value: { description: more.remedy ?? "Do something." } },
    ...(more.retrySeconds === undefined
      ? []
      : [{ desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(more.retrySeconds) } } }]),
  ]);
}

function check(request: CheckSessionRequest) {
  const shown = [request.token, ...request.cookies.map((cookie) => cookie.split("=")[1])];
  if (!shown.includes(goodToken)) {
    throw refusal(Code.Unauthenticated, "SESSION_TOKEN_UNKNOWN", { remedy: "Log in." });
  }
  for (const { demand } of request.demands) {
    if (demand.case === "assuranceLevel" && demand.value > AssuranceLevel.AAL1) {
      throw refusal(Code.Unauthenticated, "SESSION_ASSURANCE_TOO_LOW");
    }
    if (demand.case !== "freshness" || demand.value.within.case !== "maxAge") continue;
    if (durationMs(demand.value.within.value) < 60_000) {
      throw refusal(Code.Unauthenticated, "SESSION_AUTHENTICATION_TOO_OLD");
    }
  }
  return {
    session: {
      id: "session-1",
      identityId: "identity-1",
      state: SessionState.ACTIVE,
      assuranceLevel: AssuranceLevel.AAL1,
      createTime: timestampNow(),
    },
    ...(request.view === SessionView.FULL && { identity: { id: "identity-1", displayName: "Ada" } }),
  };
}
