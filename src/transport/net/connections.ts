import type { Socket } from "node:net";

/** How much there is of a resource. */
export interface BudgetLimits {
  /** For all holders of this process together. */
  readonly total: number;
  /** The most that one holder may have. */
  readonly share: number;
}

/** A connection, as long as it is open. */
export interface Connection {
  /** A call of it begins. */
  begin(): void;
  /** A call of it has ended. */
  end(): void;
  /** Calls back when the connection is closed, or once the returned function is called; at once if it is closed already. */
  onClose(listener: () => void): () => void;
  /** A caller has shown a valid credential, of a session or of an operator. Such a connection is closed later. */
  prove(by: "session" | "operator"): void;
}

/**
 * The connections of both listeners. Beyond a limit the one that is needed least is closed for the new one: strangers before
 * people who are signed in, and these before operators; of equals first those without a call under way, the longest idle first.
 *
 * Security rule (SR-LIMIT-12): strangers, or people with an account, who hold all connections keep nobody out: a new connection is always
 * taken in as long as there is one to close that no operator's call is under way on (test/transport/budgets.test.ts).
 */
export class Connections {
  readonly #limits: BudgetLimits;
  readonly #all = new Set<Tracked>();
  readonly #byClient = new Map<string, Set<Tracked>>();
  readonly #bySocket = new Map<string, Tracked>();
  #closed = 0;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  /** How many are open. */
  get open(): number {
    return this.#all.size;
  }

  /** How many were closed or refused for others. */
  get closed(): number {
    return this.#closed;
  }

  /** Takes in a new connection. A trusted proxy has no share of its own: its connections are those of many clients. */
  accept(socket: Socket, peer: { readonly subject: string; readonly trustedProxy: boolean }): void {
    const { share, total } = this.#limits;
    const client = peer.trustedProxy ? undefined : peer.subject;
    const own = client === undefined ? undefined : this.#byClient.get(client);
    if (!this.#makeRoom(own, share) || !this.#makeRoom(this.#all, total)) {
      this.#closed++;
      socket.destroy();
      return;
    }
    const connection = new Tracked(socket, client, peer.trustedProxy ? "operator" : "stranger");
    this.#all.add(connection);
    if (client !== undefined)
      this.#byClient.set(client, (this.#byClient.get(client) ?? new Set()).add(connection));
    const key = keyOf(socket);
    this.#bySocket.set(key, connection);
    socket.once("close", () => {
      if (this.#bySocket.get(key) === connection) this.#bySocket.delete(key);
      this.#forget(connection);
    });
  }

  /** The connection of a socket, or of the TLS socket on top of it. */
  of(socket: Socket): Connection {
    return this.#bySocket.get(keyOf(socket)) ?? gone;
  }

  /** Whether one more may come in, after one has been closed for it if it must be. */
  #makeRoom(group: ReadonlySet<Tracked> | undefined, most: number): boolean {
    if (group === undefined || group.size < most) return true;
    const victim = leastNeeded(group);
    if (victim === undefined) return false;
    this.#closed++;
    // Counted out at once: its close event comes later.
    this.#forget(victim);
    victim.socket.destroy();
    return true;
  }

  #forget(connection: Tracked): void {
    const { client } = connection;
    this.#all.delete(connection);
    const own = client === undefined ? undefined : this.#byClient.get(client);
    own?.delete(connection);
    if (client !== undefined && own?.size === 0) this.#byClient.delete(client);
    connection.leave();
  }
}

/** Searched for only when there are too many, so that calls pay nothing for it. Never one that serves an operator. */
function leastNeeded(group: Iterable<Tracked>): Tracked | undefined {
  let least: Tracked | undefined;
  for (const connection of group) {
    const isLess = least === undefined || connection.need < least.need;
    const isOlder = connection.need === least?.need && connection.since < least.since;
    if (connection.need < servesOperator && (isLess || isOlder)) least = connection;
  }
  return least;
}

/** The best caller of a connection so far. Anybody may register, so a session counts less than an API key or certificate. */
const standings = { stranger: 0, session: 2, operator: 4 } as const;

/** The need of a connection on which an operator's call is under way. */
const servesOperator = standings.operator + 1;

/** What happened since the start, in its order. */
let moment = 0;

class Tracked implements Connection {
  readonly socket: Socket;
  /** Who has it, as connections are counted; undefined: a trusted proxy. */
  readonly client: string | undefined;
  /** The moment since which it is idle or has a call under way. */
  since = ++moment;
  #standing: keyof typeof standings;
  #calls = 0;
  #left = false;
  readonly #listeners = new Set<() => void>();

  constructor(socket: Socket, client: string | undefined, standing: keyof typeof standings) {
    this.socket = socket;
    this.client = client;
    this.#standing = standing;
  }

  /** How much it is needed: more with a call under way, and more with each standing. */
  get need(): number {
    return standings[this.#standing] + (this.#calls > 0 ? 1 : 0);
  }

  begin(): void {
    if (this.#calls++ === 0) this.since = ++moment;
  }

  end(): void {
    if (--this.#calls === 0) this.since = ++moment;
  }

  prove(by: "session" | "operator"): void {
    if (standings[by] > standings[this.#standing]) this.#standing = by;
  }

  onClose(listener: () => void): () => void {
    if (this.#left) return gone.onClose(listener);
    const close = () => {
      if (this.#listeners.delete(close)) listener();
    };
    this.#listeners.add(close);
    return close;
  }

  /** It is closed. */
  leave(): void {
    this.#left = true;
    for (const close of this.#listeners) close();
  }
}

/** What a socket has that is closed already. */
const gone: Connection = {
  begin() {},
  end() {},
  prove() {},
  onClose(listener) {
    listener();
    return () => {};
  },
};

/** The same for a socket and the TLS socket on top of it. */
export function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
