// Load for bench/unary-path.ts: a fixed number of the same call, over sockets that write prepared bytes, because a client that makes
// each request anew takes more CPU than the servers that are measured, and the machine has few cores.
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";

/** The same unary call, again and again. */
export interface UnaryLoad {
  readonly port: number;
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly calls: number;
  /** How many calls are under way at once: connections over HTTP/1.1, streams of one connection over HTTP/2. */
  readonly together: number;
}

/** Calls over HTTP/1.1. Throws if an answer is not 200. */
export async function callHttp1({
  port,
  path,
  contentType,
  body,
  calls,
  together,
}: UnaryLoad): Promise<void> {
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: ${contentType}\r\ncontent-length: ${body.length}\r\n\r\n`;
  const request = Buffer.concat([Buffer.from(head), body]);
  let left = calls;
  const connection = () =>
    new Promise<void>((resolve, reject) => {
      const socket: Socket = connect(port, "127.0.0.1");
      let received = "";
      const next = () => {
        received = "";
        if (left-- > 0) socket.write(request);
        else socket.end(resolve);
      };
      socket.setNoDelay(true).setEncoding("latin1").on("error", reject).on("connect", next);
      socket.on("data", (text: string) => {
        received += text;
        const end = endOf(received);
        if (end === undefined) return;
        if (received.startsWith("HTTP/1.1 200 ") && received.length === end) next();
        else reject(new Error(`unexpected answer: ${received.slice(0, 400)}`));
      });
    });
  await Promise.all(Array.from({ length: together }, connection));
}

/** Where an answer ends; undefined while parts of it are missing. */
function endOf(received: string): number | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const length = /\r\ncontent-length: (\d+)/i.exec(received)?.[1];
  if (length === undefined) return received.endsWith("\r\n0\r\n\r\n") ? received.length : undefined;
  const end = headEnd + 4 + Number(length);
  return received.length < end ? undefined : end;
}

/** Calls over HTTP/2 without TLS. Throws if an answer has another status than 200 or 0. */
export async function callHttp2({
  port,
  path,
  contentType,
  body,
  calls,
  together,
}: UnaryLoad): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  let left = calls;
  const worker = async () => {
    while (left-- > 0) await callOnce(session, path, contentType, body);
  };
  await Promise.all(Array.from({ length: together }, worker));
  session.close();
}

function callOnce(
  session: ClientHttp2Session,
  path: string,
  contentType: string,
  body: Uint8Array,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": contentType,
      te: "trailers",
    });
    let status: unknown;
    stream.on("response", (headers) => {
      status = headers[":status"];
    });
    stream.on("trailers", (trailers) => {
      if (trailers["grpc-status"] !== "0") reject(new Error(`grpc-status ${trailers["grpc-status"]}`));
    });
    stream
      .on("error", reject)
      .on("close", () => (status === 200 ? resolve() : reject(new Error(`status ${status}`))));
    stream.resume();
    stream.end(body);
  });
}
