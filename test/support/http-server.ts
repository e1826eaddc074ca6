import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** A real HTTP server of somebody else, on loopback. */
export interface OtherServer {
  readonly port: number;
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** The requests that it got. */
  readonly requests: readonly IncomingMessage[];
  /** How many connections were opened to it. */
  readonly connections: () => number;
  /** Replaces what it does. */
  answer(handler: RequestListener): void;
  stop(): Promise<void>;
}

/** Starts one on a free port. Without a handler it answers everything with 200 and `hello`. */
export async function startOtherServer(
  handler: RequestListener = (_request, response) => response.end("hello"),
  tls?: { readonly cert: string; readonly key: string },
): Promise<OtherServer> {
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  let current = handler;
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    requests.push(request);
    current(request, response);
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  let connections = 0;
  server.on("connection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    // A client that gives up is part of the tests.
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    requests,
    connections: () => connections,
    answer: (next) => {
      current = next;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}
