import type { Socket } from "node:net";
import { addressSubject } from "../../domain/throttle/address-subject.ts";
import type { BudgetLimits } from "./budget.ts";
import type { Peer } from "./exchange.ts";

/** A connection, as long as it is open. */
export interface Connection {
  /** A call of it begins. */
  begin(): void;
  /** A call of it has ended. */
  end(): void;
  /** Calls back when the connection is closed, or once the returned function is called; at once if it is closed already. */
  onClose(listener: () => void): () => void;
  /** A caller has shown a valid credential. Such a connection is closed last. */
  prove(): void;
}

/**
 * The connections of both listeners. Beyond a limit the one that is needed least is closed for the new one: first one without a
 * call under way, the longest idle before the others; then one on which nobody has shown a valid credential.
 *
 * Security rule (SR-LIMIT-12): strangers who hold all connections keep nobody out: a new connection is always taken in as long as there is one
 * of a stranger to close (test/transport/budgets.test.ts).
 */
export class Connections {
  readonly #limits: BudgetLimits;
  readonly #all = new Group();
  readonly #byClient = new Map<string, Group>();
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
  accept(socket: Socket, peer: Pick<Peer, "address" | "trustedProxy">): void {
    const client = peer.trustedProxy ? undefined : addressSubject(peer.address);
    const own = client === undefined ? undefined : (this.#byClient.get(client) ?? new Group());
    const { share, total } = this.#limits;
    const hasRoom = (own === undefined || this.#makeRoom(own, share)) && this.#makeRoom(this.#all, total);
    if (!hasRoom) {
      this.#closed++;
      socket.destroy();
      return;
    }
    if (client !== undefined && own !== undefined) this.#byClient.set(client, own);
    const groups = own === undefined ? [this.#all] : [this.#all, own];
    const tracked = new Tracked(socket, groups, peer.trustedProxy);
    const key = keyOf(socket);
    this.#bySocket.set(key, tracked);
    const forget = () => {
      if (!tracked.leave()) return;
      if (this.#bySocket.get(key) === tracked) this.#bySocket.delete(key);
      if (client !== undefined && own?.size === 0 && this.#byClient.get(client) === own)
        this.#byClient.delete(client);
    };
    tracked.forget = forget;
    socket.once("close", forget);
  }

  /** The connection of a socket, or of the TLS socket on top of it. */
  of(socket: Socket): Connection {
    return this.#bySocket.get(keyOf(socket)) ?? gone;
  }

  /** Whether one more may come in, after one has been closed for it if it must be. */
  #makeRoom(group: Group, most: number): boolean {
    if (group.size < most) return true;
    const victim = group.leastNeeded();
    if (victim === undefined) return false;
    this.#closed++;
    // Counted out at once: its close event comes later.
    victim.forget();
    victim.socket.destroy();
    return true;
  }
}

type Need = "idle" | "busy" | "proven_idle" | "proven_busy";

/** Connections that share a limit, by how much they are needed; each set has the longest in it first. */
class Group {
  readonly sets: Readonly<Record<Need, Set<Tracked>>> = {
    idle: new Set(),
    busy: new Set(),
    proven_idle: new Set(),
    proven_busy: new Set(),
  };

  get size(): number {
    const { idle, busy, proven_idle, proven_busy } = this.sets;
    return idle.size + busy.size + proven_idle.size + proven_busy.size;
  }

  leastNeeded(): Tracked | undefined {
    const { idle, busy, proven_idle } = this.sets;
    for (const set of [idle, busy, proven_idle]) for (const connection of set) return connection;
    return undefined;
  }
}

class Tracked implements Connection {
  readonly socket: Socket;
  forget: () => void = () => {};
  readonly #groups: readonly Group[];
  #in: readonly Set<Tracked>[] = [];
  #proven: boolean;
  readonly #listeners = new Set<() => void>();
  #calls = 0;
  #left = false;

  constructor(socket: Socket, groups: readonly Group[], proven: boolean) {
    this.socket = socket;
    this.#groups = groups;
    this.#proven = proven;
    this.#enter();
  }

  begin(): void {
    if (this.#calls++ === 0) this.#move();
  }

  end(): void {
    if (--this.#calls === 0) this.#move();
  }

  prove(): void {
    if (this.#proven) return;
    this.#proven = true;
    this.#move();
  }

  onClose(listener: () => void): () => void {
    if (this.#left) return gone.onClose(listener);
    const close = () => {
      if (this.#listeners.delete(close)) listener();
    };
    this.#listeners.add(close);
    return close;
  }

  /** Whether it was still counted. */
  leave(): boolean {
    if (this.#left) return false;
    this.#left = true;
    this.#drop();
    for (const close of this.#listeners) close();
    return true;
  }

  #move(): void {
    if (this.#left) return;
    this.#drop();
    this.#enter();
  }

  #drop(): void {
    for (const set of this.#in) set.delete(this);
  }

  #enter(): void {
    const need = (this.#proven ? "proven_" : "") + (this.#calls === 0 ? "idle" : "busy");
    this.#in = this.#groups.map((group) => group.sets[need as Need]);
    for (const set of this.#in) set.add(this);
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
function keyOf({ remoteAddress, remotePort, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`;
}
