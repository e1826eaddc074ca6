/** The interface of src/app.ts for the command line and the tests. */
import type { LoadedConfig } from "./config/load-config.ts";
import type { EventFeed } from "./domain/event/feed.ts";
import type { Clock, Logger } from "./domain/ports.ts";
import type { Secret } from "./domain/secret.ts";
import type { PackedFigures } from "./transport/metrics/several-processes.ts";

/** Options of the application. */
export interface AppOptions {
  readonly config: LoadedConfig;
  readonly logger: Logger;
  /** The server's version, for `/version` and the metrics. */
  readonly version: string;
  /** The lines of the log, for a collector. Default: they are not sent. */
  readonly logLines?: { listen(listener: (line: string) => void): () => void } | undefined;
  /** Environment that the OTEL_… variables are read from. Default: none, hence nothing is sent to a collector. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default: the real time. Tests pass one that they can move. */
  readonly clock?: Clock | undefined;
  /** Unset: this process serves alone. */
  readonly worker?: WorkerPlace | undefined;
  /** Told of each SQL statement; tests count round trips with it. */
  readonly onStatement?: ((text: string) => void) | undefined;
}

/** The place of a process among those that serve together (`server.workers`). */
export interface WorkerPlace {
  /** From 0. A worker that takes another one's place has the same. */
  readonly index: number;
  /** How many there are. */
  readonly count: number;
  /** The embedded PostgreSQL, which their parent has started; undefined if it is not used. */
  readonly embeddedUrl: string | undefined;
  /** Whether all of them serve. */
  allServe(): boolean;
  /** Reads the figures of all of them, this one included. */
  serverFigures(): Promise<PackedFigures>;
}

/** How an application stops. */
export interface StopOptions {
  /**
   * Set where others serve in its place: for how long connections without a call are kept for one that is on its way, and
   * readiness stays as it is. Default: 0, nobody does.
   */
  readonly patienceMs?: number;
}

/** An application that serves. */
export interface RunningApp {
  /** URL of the public listener for clients. */
  readonly publicUrl: string;
  /** URL of the self-service pages; undefined if they are not served. */
  readonly pagesUrl: string | undefined;
  readonly adminUrl: string;
  /** The port that the public listener is bound to. */
  readonly publicPort: number;
  /** The first admin API key: itself, if it was made just now, and the file that holds it, if there is one. */
  readonly bootstrapKey: { readonly key: Secret | undefined; readonly file: string | undefined };
  /** Opens the development mailbox in a browser, once; undefined if there is none. */
  readonly mailboxLink: string | undefined;
  /**
   * Reads secrets and certificates again. Throws if one cannot be used. All stay as they are until the returned function is called.
   * `fileText` is what the configuration file says now, where it was read already.
   */
  renew(fileText?: string): () => void;
  /** The same at once. */
  reload(): Promise<void>;
  /** The figures of this process. */
  figures(): PackedFigures;
  /** The event log as it grows. */
  readonly eventFeed: EventFeed;
  /** Finishes the calls under way, then stops everything, also the embedded database. */
  stop(options?: StopOptions): Promise<void>;
  /** Resolves if the application can no longer serve, with the reason. It must then be stopped. */
  readonly failed: Promise<Error>;
}
