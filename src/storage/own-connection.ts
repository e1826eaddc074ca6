import { Client } from "pg";
import { applySettings, connectionOptions, cutOff } from "./connection.ts";

interface OwnConnectionOptions {
  /** Asked at each connect: the password may have been changed. */
  readonly url: () => string;
  /** What PostgreSQL shows it as. */
  readonly application: string;
}

/** A connection that is for one purpose alone, beside those of calls. */
export class OwnConnection {
  readonly #options: OwnConnectionOptions;
  readonly #clients = new Set<Client>();

  constructor(options: OwnConnectionOptions) {
    this.#options = options;
  }

  /**
   * Connects, and works until the work returns, it is stopped, or the connection is lost; then it throws. The signal that the work is
   * given is aborted by whichever comes first.
   */
  async run(
    stopping: AbortSignal,
    work: (client: Client, ended: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const { url, application } = this.#options;
    const client = new Client({
      connectionString: url(),
      ...connectionOptions({ application, answerTimeoutMs: 5_000 }),
    });
    const ended = new AbortController();
    const over = Promise.withResolvers<void>();
    // Unheard, either would end the process (see database.ts).
    over.promise.catch(() => {});
    client.on("error", over.reject);
    client.on("end", () => over.reject(new Error("the connection was closed")));
    const stop = () => over.resolve();
    stopping.addEventListener("abort", stop);
    this.#clients.add(client);
    try {
      await client.connect();
      await applySettings(client, { statementMs: 5_000 });
      await Promise.race([over.promise, work(client, ended.signal)]);
    } finally {
      ended.abort();
      stopping.removeEventListener("abort", stop);
      this.#clients.delete(client);
      // It may be broken already, and then there is nothing to close, or its other end may be gone: nobody waits for that one.
      client.end().catch(() => {});
      cutOff(client);
    }
  }

  /** Makes the connection anew: the one that is open leads nowhere. */
  reconnect(): void {
    for (const client of this.#clients) cutOff(client);
  }
}
