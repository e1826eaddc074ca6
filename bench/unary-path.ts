// What the unary path of src/transport/rpc/unary costs: `node bench/unary-path.ts`. CPU of a server's own process for one CheckSession
// whose answer is made up, over each protocol: on our path (with all of the pipeline, limits, budgets, headers, metrics and the log), on
// the least that Node needs for the protocol (which reads and writes the same messages, and does nothing else), and on connect-node's
// adapter. All run side by side and take turns. `node bench/unary-path.ts json` measures one protocol alone.
import { createServer, type RequestListener } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { create, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AssuranceLevel } from "../gen/ostiary/option/v1/demand_pb.js";
import { SessionState } from "../gen/ostiary/session/v1/session_pb.js";
import {
  CheckSessionRequestSchema,
  CheckSessionResponseSchema,
  SessionService,
} from "../gen/ostiary/session/v1/session_service_pb.js";
import { createLogger } from "../src/cli/logger.ts";
import { callOf } from "../src/transport/rpc/call.ts";
import type { Codec } from "../src/transport/rpc/unary/decode.ts";
import { answerWithParts, encodeMessage } from "../src/transport/rpc/unary/encoded-answer.ts";
import type { EncodedMessage } from "../src/transport/rpc/unary/wire.ts";
import { startListener } from "../test/transport/harness.ts";
import { type MeasuredServer, startMeasured } from "./server-process.ts";
import { callHttp1, callHttp2, type UnaryLoad } from "./unary-load.ts";

const rounds = 5;
const callsARound = 8_000;
const path = "/ostiary.session.v1.SessionService/CheckSession";

const request = create(CheckSessionRequestSchema, { token: `ost_ses_default_${"a".repeat(49)}` });
const answer = () => {
  const time = timestampFromDate(new Date("2026-01-02T03:04:05.678Z"));
  return {
    session: {
      id: "01890000-0000-7000-8000-000000000002",
      identityId: "01890000-0000-7000-8000-000000000001",
      state: SessionState.ACTIVE,
      assuranceLevel: AssuranceLevel.AAL1,
      createTime: time,
      authenticateTime: time,
      expireTime: time,
      device: { ipAddress: "203.0.113.7", userAgent: "bench" },
    },
  };
};
const encode = () => toBinary(CheckSessionResponseSchema, create(CheckSessionResponseSchema, answer()));
const okTrailers = Buffer.from("grpc-status: 0\r\n");

interface Protocol {
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly call: (load: UnaryLoad) => Promise<void>;
  /** Starts the least that Node needs to serve the call. */
  readonly minimal: () => Promise<number>;
}

const protocols: Readonly<Record<string, Protocol>> = {
  json: {
    contentType: "application/json",
    body: Buffer.from(toJsonString(CheckSessionRequestSchema, request)),
    call: callHttp1,
    minimal: minimalHttp1("application/json", (body) => {
      fromJsonString(CheckSessionRequestSchema, body.toString());
      return toJsonString(CheckSessionResponseSchema, create(CheckSessionResponseSchema, answer()));
    }),
  },
  binary: {
    contentType: "application/proto",
    body: toBinary(CheckSessionRequestSchema, request),
    call: callHttp1,
    minimal: minimalHttp1("application/proto", (body) => {
      fromBinary(CheckSessionRequestSchema, body);
      return encode();
    }),
  },
  grpc: {
    contentType: "application/grpc+proto",
    body: enclose(toBinary(CheckSessionRequestSchema, request)),
    call: callHttp2,
    minimal: minimalGrpc,
  },
  "grpc-web": {
    contentType: "application/grpc-web+proto",
    body: enclose(toBinary(CheckSessionRequestSchema, request)),
    call: callHttp1,
    minimal: minimalHttp1("application/grpc-web+proto", (body) => {
      fromBinary(CheckSessionRequestSchema, body.subarray(5));
      return Buffer.concat([enclose(encode()), enclose(okTrailers, 0x80)]);
    }),
  },
};

const serving: Readonly<Record<string, (protocol: Protocol) => Promise<number>>> = {
  ours: async () => {
    const services = [{ service: SessionService, implementation: { checkSession: answer } }];
    // As it is configured by default: calls of checks are logged at `debug` alone.
    return (await startListener({ services, logger: createLogger("info") })).port;
  },
  // As the session cache answers: what was encoded once, and the fields that move.
  encoded: async () => {
    const known = new Map<Codec, EncodedMessage>();
    const checkSession = (_request: object, context: HandlerContext) => {
      const call = callOf(context);
      const { codec } = call;
      let session = known.get(codec);
      if (session === undefined) {
        session = encodeMessage(CheckSessionResponseSchema, codec, answer());
        known.set(codec, session);
      }
      const moving = { cacheUntilTime: timestampFromDate(call.now) };
      return answerWithParts(call, [session, encodeMessage(CheckSessionResponseSchema, codec, moving)]);
    };
    const services = [{ service: SessionService, implementation: { checkSession } }];
    return (await startListener({ services, logger: createLogger("info") })).port;
  },
  minimal: (protocol) => protocol.minimal(),
  "connect-node": ({ call }) => {
    const routes: Parameters<typeof connectNodeAdapter>[0]["routes"] = (router) =>
      router.service(SessionService, { checkSession: answer });
    const adapter = connectNodeAdapter({ routes });
    return listen(call === callHttp1 ? createServer({}, adapter) : createHttp2Server({}, adapter));
  },
};

const [, , only, served] = process.argv;
if (served !== undefined) {
  const protocol = protocols[only ?? ""];
  const port = protocol && (await serving[served]?.(protocol));
  console.log(`http://127.0.0.1:${port}`);
} else {
  for (const name of Object.keys(protocols)) if (only === undefined || only === name) await compare(name);
}

function enclose(content: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
}

function minimalHttp1(
  contentType: string,
  answerTo: (body: Buffer) => Uint8Array | string,
): () => Promise<number> {
  const listener: RequestListener = (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = answerTo(Buffer.concat(chunks));
      outgoing.writeHead(200, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
      outgoing.end(body);
    });
  };
  return () => listen(createServer(listener));
}

function minimalGrpc(): Promise<number> {
  const server = createHttp2Server();
  server.on("stream", (stream) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      fromBinary(CheckSessionRequestSchema, Buffer.concat(chunks).subarray(5));
      const headers = { ":status": 200, "content-type": "application/grpc+proto" };
      stream.respond(headers, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(enclose(encode()));
    });
  });
  return listen(server);
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

async function compare(name: string): Promise<void> {
  const protocol = protocols[name];
  if (protocol === undefined) throw new Error(`no protocol ${name}`);
  const sides: { readonly side: string; readonly server: MeasuredServer; readonly costs: number[] }[] = [];
  for (const side of Object.keys(serving)) {
    const server = await startMeasured(process.execPath, [import.meta.filename, name, side]);
    sides.push({ side, server, costs: [] });
  }
  for (const { server } of sides) await cost(protocol, server);
  for (let round = 0; round < rounds; round++) {
    for (const { server, costs } of sides) costs.push(await cost(protocol, server));
  }
  const medians = new Map(sides.map(({ side, costs }) => [side, medianOf(costs)]));
  const of = (side: string) => medians.get(side) ?? Number.NaN;
  const ratios = ["ours", "encoded"].map((side) => {
    const ofMinimal = ((100 * of("minimal")) / of(side)).toFixed(0);
    return `${side} is ${ofMinimal} % of the rate of minimal, ${(of("connect-node") / of(side)).toFixed(1)} times that of connect-node`;
  });
  const figures = sides.map(({ side, costs }) => {
    const median = medianOf(costs);
    return `${side} ${median.toFixed(0)} µs (${Math.min(...costs).toFixed(0)} at least)`;
  });
  console.log(`${name}: ${figures.join(", ")}; ${ratios.join("; ")}`);
  for (const { server } of sides) await server.stop();
}

function medianOf(costs: readonly number[]): number {
  return costs.toSorted((left, right) => left - right)[costs.length >> 1] ?? Number.NaN;
}

/** The CPU of one call in µs. */
async function cost(protocol: Protocol, server: MeasuredServer): Promise<number> {
  const { contentType, body, call } = protocol;
  const before = server.cpuSeconds();
  await call({
    port: Number(new URL(server.publicUrl).port),
    path,
    contentType,
    body,
    calls: callsARound,
    together: 16,
  });
  return ((server.cpuSeconds() - before) / callsARound) * 1e6;
}
