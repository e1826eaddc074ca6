import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands between a client and a server, as a network that holds things up. */
export interface HoldingProxy {
  readonly url: string;
  /** Passes nothing on of what servers send, until `release`; nothing is lost. */
  hold(): void;
  release(): void;
  /** Sends new connections to another server, and ends the others. */
  leadTo(url: string): void;
  close(): Promise<void>;
}

/** Starts a proxy of the server at this URL. */
export async function startHoldingProxy(serverUrl: string): Promise<HoldingProxy> {
  let target = new URL(serverUrl);
  let isHeld = false;
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((socket) => {
    const upstream = connect(Number(target.port), target.hostname);
    const pair = [socket, upstream] as const;
    pairs.add(pair);
    socket.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => socket.write(chunk));
    if (isHeld) upstream.pause();
    for (const side of pair) {
      side.on("error", () => {});
      side.on("close", () => {
        pairs.delete(pair);
        for (const each of pair) each.destroy();
      });
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const end = () => {
    for (const pair of [...pairs]) for (const side of pair) side.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold: () => {
      isHeld = true;
      for (const [, upstream] of pairs) upstream.pause();
    },
    release: () => {
      isHeld = false;
      for (const [, upstream] of pairs) upstream.resume();
    },
    leadTo: (url) => {
      target = new URL(url);
      end();
    },
    close: async () => {
      end();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
