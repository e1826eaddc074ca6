import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Client } from "pg";

/** Stands between a server and its database, as a load balancer would: HAProxy, or an address that moves. */
export interface DatabaseProxy {
  /** The URL of the database by way of the proxy. */
  readonly url: string;
  /** How many connections were made. */
  connections(): number;
  /** Sends new connections to the database of this URL from now on; undefined: they are taken, and nothing is answered. */
  leadTo(databaseUrl: string | undefined): void;
  /** The connections that are open pass nothing on any more, without a word; new ones do. */
  silence(): void;
  /** Closes the connections that are open. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts a proxy of a database. */
export async function startDatabaseProxy(databaseUrl: string): Promise<DatabaseProxy> {
  let target: Target | undefined = targetOf(databaseUrl);
  let made = 0;
  const open = new Set<readonly [Socket, Socket]>();
  const silenced: Socket[] = [];
  const server = createServer((socket) => {
    made++;
    if (target === undefined) {
      socket.on("error", () => {});
      silenced.push(socket);
      return;
    }
    const upstream = typeof target === "string" ? connect(target) : connect(target.port, target.host);
    const pair = [socket, upstream] as const;
    open.add(pair);
    for (const side of pair) side.on("error", () => {});
    socket.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => socket.write(chunk));
    const end = () => {
      // A pair that was silenced is in the set no more: neither side hears of the other's end.
      if (!open.delete(pair)) return;
      for (const side of pair) side.destroy();
    };
    for (const side of pair) side.on("close", end);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = new URL(databaseUrl);
  url.search = "";
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cut = () => {
    for (const pair of open) for (const side of pair) side.destroy();
    open.clear();
  };
  return {
    url: url.href,
    connections: () => made,
    leadTo: (other) => {
      target = other === undefined ? undefined : targetOf(other);
    },
    silence: () => {
      for (const pair of open) {
        for (const side of pair) {
          side.removeAllListeners("data").pause();
          silenced.push(side);
        }
      }
      open.clear();
    },
    cut,
    close: async () => {
      cut();
      for (const side of silenced) side.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A path of a socket, or an address. */
type Target = string | { readonly host: string; readonly port: number };

function targetOf(databaseUrl: string): Target {
  const { host, port } = new Client({ connectionString: databaseUrl });
  return host.startsWith("/") ? `${host}/.s.PGSQL.${port}` : { host, port };
}
