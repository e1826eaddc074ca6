/** What a parent and its workers say to each other. */

import type { PackedFigures } from "../../app-metrics.ts";

/** From the parent to a worker. */
export type ParentMessage =
  /** The first message: what the worker needs for its start. */
  | ({ readonly kind: "start" } & StartMessage)
  /** How many of the workers serve. */
  | { readonly kind: "workers"; readonly allServe: boolean }
  /** Asks for the figures of the worker. Answered by `own-figures`. */
  | { readonly kind: "figures"; readonly id: number }
  /** The answer to `server-figures`. */
  | { readonly kind: "all-figures"; readonly id: number; readonly figures: PackedFigures }
  /** Reads secrets and certificates again, and changes nothing yet. Answered by `renewal`. */
  | { readonly kind: "renew"; readonly id: number; readonly fileText: string | undefined }
  /** Uses what was read (true), or forgets it. Answered by `renewal`. */
  | { readonly kind: "settle"; readonly id: number; readonly use: boolean }
  /** Finishes calls under way, and ends. `patienceMs` is that of StopOptions. */
  | { readonly kind: "stop"; readonly patienceMs: number | undefined };

/** What a worker needs for its start. */
export interface StartMessage {
  readonly index: number;
  readonly count: number;
  /** What the configuration file said when the parent read it: an edit counts from the next start or restart on, in all. */
  readonly fileText: string | undefined;
  /** What it said at the last reload (SIGHUP), of which secrets, grants and files of the branding count. */
  readonly renewedText: string | undefined;
  /** Where the embedded PostgreSQL is, with its password. */
  readonly embeddedUrl: string | undefined;
}

/** From a worker to the parent. */
export type WorkerMessage =
  /** It serves. `lines` is what the one who has started the server is told. */
  | { readonly kind: "serving"; readonly lines: readonly string[] }
  /** It could not be started, or serves no longer, and ends. */
  | { readonly kind: "failed"; readonly lines: readonly string[] }
  /** Asks for the figures of all workers. Answered by `all-figures`. */
  | { readonly kind: "server-figures"; readonly id: number }
  /** The answer to `figures`; without an id the last ones, before its end. */
  | { readonly kind: "own-figures"; readonly id: number | undefined; readonly figures: PackedFigures }
  /** The answer to `renew` and `settle`: what is wrong, one line each. */
  | { readonly kind: "renewal"; readonly id: number; readonly problems: readonly string[] };
