import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

/** The HTTP server below one provider: it counts, and can be told to be out of order. */
export interface ProviderServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly counts: Map<string, number>;
  serve(listener: RequestListener): void;
  setDown(down: boolean): void;
}

/** Starts one on a free port. It answers 503 until it is told what to serve. */
export async function startProviderServer(): Promise<ProviderServer> {
  const counts = new Map<string, number>();
  let current: RequestListener | undefined;
  let isDown = false;
  const server = createServer((request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    // Ids in paths are all the same to who counts.
    const key = `${request.method} ${path.replace(/\/[\w-]{40,}/g, "/*")}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    if (isDown || current === undefined) response.writeHead(503).end("out of order");
    else current(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    serve: (listener) => {
      current = listener;
    },
    setDown: (down) => {
      isDown = down;
    },
  };
}

const machineTime = Date.now;

/** Has the process be so far from the machine's time. */
export function setTime(offsetMs: number): void {
  Date.now = () => machineTime() + offsetMs;
}
