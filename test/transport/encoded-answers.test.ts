import type { HandlerContext } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import {
  CheckSessionResponseSchema,
  SessionService,
} from "../../gen/ostiary/session/v1/session_service_pb.js";
import { callOf } from "../../src/transport/rpc/call.ts";
import type { Codec } from "../../src/transport/rpc/unary/decode.ts";
import { answerWithParts, encodeMessage } from "../../src/transport/rpc/unary/encoded-answer.ts";
import type { EncodedMessage } from "../../src/transport/rpc/unary/wire.ts";
import { detailOf, errorOf, protocols, type Running, sessionClient, startListener } from "./harness.ts";

const session = { id: "grüße 🔑", device: { userAgent: 'a "quoted" {brace}, and a \\' } };
const identity = { id: "who" };
const cacheUntilTime = { seconds: 1_700_000_000n, nanos: 0 };
/** More than Node is given in one piece with the head, and more than HTTP/2 sends in one frame. */
const long = "ä".repeat(40_000);

const part = (
  codec: Codec,
  message: Parameters<typeof encodeMessage<typeof CheckSessionResponseSchema>>[2],
) => encodeMessage(CheckSessionResponseSchema, codec, message);

const answers: Readonly<Record<string, (codec: Codec) => readonly EncodedMessage[]>> = {
  one: (codec) => [part(codec, { session })],
  several: (codec) => [
    part(codec, { session }),
    part(codec, {}),
    part(codec, { identity }),
    part(codec, { cacheUntilTime }),
  ],
  none: () => [],
  "without fields": (codec) => [part(codec, {}), part(codec, {})],
  long: (codec) => [part(codec, { session: { id: long } }), part(codec, { cacheUntilTime })],
  "of another codec": (codec) => [part(codec === "json" ? "proto" : "json", { session })],
};

let running: Running;
beforeAll(async () => {
  const checkSession = ({ token }: { token: string }, context: HandlerContext) => {
    const call = callOf(context);
    call.setCookie("a=1; Path=/");
    context.responseTrailer.set("x-after", "trailer");
    return answerWithParts(call, answers[token]?.(call.codec) ?? []);
  };
  running = await startListener({
    services: [{ service: SessionService, implementation: { checkSession } }],
  });
});
afterAll(() => running.close());

describe.each(protocols)("an answer in encoded parts over %s", (protocol) => {
  const check = (token: string, options = {}) =>
    sessionClient(protocol, running.baseUrl).checkSession({ token }, options);

  test("is the message with the fields of all of them", async () => {
    expect(await check("one")).toMatchObject({ session });
    const several = await check("several");
    expect(several).toMatchObject({ session, identity, cacheUntilTime });
    expect((await check("long")).session?.id).toBe(long);
  });

  test("is an empty message if no part has a field", async () => {
    for (const answer of ["none", "without fields"]) {
      const response = await check(answer);
      expect(response.session).toBeUndefined();
      expect(response.cacheUntilTime).toBeUndefined();
    }
  });

  test("has cookies and trailers as any other", async () => {
    const seen = new Headers();
    const collect = (from: Headers) => {
      for (const [name, value] of from) seen.append(name, value);
    };
    await check("several", { onHeader: collect, onTrailer: collect });
    expect(seen.getSetCookie()).toEqual(["a=1; Path=/"]);
    expect(seen.get("x-after")).toBe("trailer");
  });

  test("is refused, and never sent, if a part is of another codec", async () => {
    const error = await errorOf(check("of another codec"));
    expect(detailOf(error, ErrorInfoSchema)?.reason).toBe("INTERNAL");
  });
});
