/**
 * Every metric of the server: the one description behind the page of Prometheus, what is sent by OTLP, and docs/metrics.md.
 * Names, labels and units are those of OpenTelemetry's semantic conventions 1.45 where they have one; all others begin with
 * `ostiary.`. Labels have values of closed sets: nothing that clients choose becomes one, so nobody can make the page grow.
 */

/** A metric. `Label` are the names of its labels. */
export interface Metric<Label extends string = string> {
  /** As OpenTelemetry names it, for example `rpc.server.call.duration`. */
  readonly name: string;
  /** As Prometheus names it, where that is not made of name and unit: its own conventions for processes. */
  readonly prometheusName?: string;
  /** What grows, what goes up and down, or how values are distributed. */
  readonly kind: "counter" | "gauge" | "histogram";
  /** As UCUM writes it: `s`, `By`, `1` for a share, `{call}` for what is counted. */
  readonly unit: string;
  /** One sentence. */
  readonly help: string;
  /**
   * How the figures of several workers become that of the server. Default: their sum. The lowest or highest for what all of them
   * see; `latest` is the highest, also of workers that have ended.
   */
  readonly across?: "sum" | "min" | "max" | "latest";
  /** The meaning of each label. */
  readonly labels: Readonly<Record<Label, string>>;
}

/** A metric that counts by labels. */
export type Counter<Label extends string = string> = Metric<Label> & { readonly kind: "counter" };

/** A metric that sorts values into buckets. */
export type Histogram<Label extends string = string> = Metric<Label> & {
  readonly kind: "histogram";
  /** The upper bounds of the buckets. */
  readonly bounds: readonly number[];
};

/** Keeps the names of the labels as types. */
function metric<Label extends string, Kind extends Metric["kind"]>(
  description: Metric<Label> & { readonly kind: Kind },
) {
  return description;
}

const none = {} as Readonly<Record<never, string>>;

/**
 * The bounds that the conventions advise, and two below them: most calls of session checks take less than the first, and
 * statements may take up to the last.
 */
const callBounds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const;

/** Calls and other requests. */
export const rpcServerCallDuration: Histogram<
  "rpc.system.name" | "rpc.method" | "rpc.status_code" | "error.type"
> = {
  ...metric({
    name: "rpc.server.call.duration",
    kind: "histogram",
    unit: "s",
    help: "Duration of calls, from the arrival of the headers to the answer; of streams to their end.",
    labels: {
      "rpc.system.name": "`grpc` (gRPC and gRPC-Web) or `connectrpc`",
      "rpc.method":
        "full name such as `ostiary.session.v1.SessionService/CheckSession`; `_OTHER`: a listener does not have it",
      "rpc.status_code":
        "gRPC: `OK`, `NOT_FOUND`, …; Connect: `not_found`, …, and no label where the call succeeded",
      "error.type":
        "only where the server failed (unknown, deadline exceeded, unimplemented, internal, unavailable, data loss): the code",
    },
  }),
  bounds: callBounds,
};

/** Requests that are no calls. */
export const httpServerRequestDuration: Histogram<"http.request.method" | "http.route" | "error.type"> = {
  ...metric({
    name: "http.server.request.duration",
    kind: "histogram",
    unit: "s",
    help: "Duration of requests that are no calls: browsers and logouts that come from providers, and what was refused before its protocol was known.",
    labels: {
      "http.request.method": "`GET`, `POST`, …; `_OTHER`: one that HTTP does not define",
      "http.route":
        "the path, the method of a call, or the page by its name; no label: the listener has no such path",
      "error.type": "the code of the error that it was refused with",
    },
  }),
  bounds: callBounds,
};

export const refusals = metric({
  name: "ostiary.refusals",
  kind: "counter",
  unit: "{call}",
  help: "Calls and requests that were answered with an error, by its reason (docs/errors.md).",
  labels: {
    reason: "`RATE_LIMITED`, `SERVER_OVERLOADED`, `SESSION_EXPIRED`, …",
    scope: "only of `RATE_LIMITED`: which limit (docs/throttling.md)",
  },
});

/** Flows. */
export const flowSteps = metric({
  name: "ostiary.flow.steps",
  kind: "counter",
  unit: "{step}",
  help: "Submitted steps of flows by outcome. A wrong password is `rejected`, although its call is OK.",
  labels: {
    kind: "`login`, `registration`, `verification`, `recovery`, `settings`",
    method: "the step, mostly named by its method: `password`, `code`, `passkey`, `oidc`, `totp`, …",
    outcome:
      "`completed`, `next_step`, `rejected`, `refused` (by an error), `redirect`, `login_required`, `saved`, …",
    reason: "of `rejected` and `refused`: why, for example `CREDENTIALS_INVALID`",
  },
});

/** Signed tokens. */
export const tokensIssued = metric({
  name: "ostiary.tokens.issued",
  kind: "counter",
  unit: "{token}",
  help: "Signed tokens that were made of sessions (IssueToken).",
  labels: { template: "the name of the set of claims; no label: none" },
});

/** Passwords. */
const hashLane = { lane: "Who waits: `sign_in`, or `operator` for passwords that operators send." };

export const hashRunning = metric({
  name: "ostiary.hash.running",
  kind: "gauge",
  unit: "{hash}",
  help: "Password hashes that are computed now.",
  labels: hashLane,
});

export const hashWaiting = metric({
  name: "ostiary.hash.waiting",
  kind: "gauge",
  unit: "{hash}",
  help: "Password hashes that wait for a core.",
  labels: hashLane,
});

export const hashWaitingLimit = metric({
  name: "ostiary.hash.waiting.limit",
  kind: "gauge",
  unit: "{hash}",
  help: "How many may wait: hashing.queue_limit.",
  labels: hashLane,
});

export const hashRefused = metric({
  name: "ostiary.hash.refused",
  kind: "counter",
  unit: "{hash}",
  help: "Password hashes that were refused with SERVER_OVERLOADED because too many waited.",
  labels: hashLane,
});

export const hashDropped = metric({
  name: "ostiary.hash.dropped",
  kind: "counter",
  unit: "{hash}",
  help: "Password hashes that were not computed, because the caller had gone away or its deadline had passed.",
  labels: hashLane,
});

/** The database. */
export const databaseUp = metric({
  name: "ostiary.database.up",
  kind: "gauge",
  unit: "{database}",
  help: "1 while the database answers, asked twice a second; else 0.",
  across: "min",
  labels: none,
});

export const databaseErrors = metric({
  name: "ostiary.database.errors",
  kind: "counter",
  unit: "{error}",
  help: "Statements and connections that failed because of the state of the database. Each kind is in the log with its text.",
  labels: {
    "db.response.status_code":
      "SQLSTATE of the classes 08, 25, 53, 55 and 57; `_OTHER`: the connection failed without one",
  },
});

const poolLabels = { "db.client.connection.pool.name": "`calls` or `jobs`" } as const;

export const poolConnections = metric({
  name: "db.client.connection.count",
  // In Prometheus only histograms and summaries may end in _count.
  prometheusName: "db_client_connections",
  kind: "gauge",
  unit: "{connection}",
  help: "Open connections to the database.",
  labels: { ...poolLabels, "db.client.connection.state": "`used` or `idle`" },
});

export const poolLimit = metric({
  name: "db.client.connection.max",
  kind: "gauge",
  unit: "{connection}",
  help: "The most connections that the pool opens; of calls database.pool_size.",
  labels: poolLabels,
});

export const poolWaiting = metric({
  name: "db.client.connection.pending_requests",
  kind: "gauge",
  unit: "{request}",
  help: "Statements and transactions that wait for a connection.",
  labels: poolLabels,
});

/** The reader of the event log. */
export const feedAge = metric({
  name: "ostiary.event_feed.age",
  kind: "gauge",
  unit: "s",
  help: "Time since the event log was last read to its end. What is kept in memory is not used beyond session.max_staleness.",
  across: "max",
  labels: {},
});

export const feedEvents = metric({
  name: "ostiary.event_feed.events",
  kind: "counter",
  unit: "{event}",
  help: "Events that were told to caches and streams. Each process is told of all.",
  labels: {},
});

export const feedResets = metric({
  name: "ostiary.event_feed.resets",
  kind: "counter",
  unit: "{reset}",
  help: "How often what was kept in memory was forgotten because events may be missing; once at the start.",
  labels: {},
});

/** Mail and text messages. */
export const courierMessages = metric({
  name: "ostiary.courier.messages",
  kind: "gauge",
  unit: "{message}",
  help: "Messages in the queue of the database, which all processes share; up to 100000 are counted.",
  across: "max",
  labels: {
    state:
      "`queued` (never tried), `retrying`, `sending`, `failed` (given up; kept for tenant_defaults.courier.retention)",
  },
});

export const courierOldest = metric({
  name: "ostiary.courier.oldest_message.age",
  kind: "gauge",
  unit: "s",
  help: "Age of the oldest message that is not sent yet; 0 if none waits.",
  across: "max",
  labels: none,
});

export const courierAttempts = metric({
  name: "ostiary.courier.attempts",
  kind: "counter",
  unit: "{attempt}",
  help: "Attempts of this process at sending a message.",
  labels: { outcome: "`sent`, `retried` (it waits for the next one), `failed` (given up)" },
});

export const arrivalReports = metric({
  name: "ostiary.courier.reports",
  kind: "counter",
  unit: "{report}",
  help: "Reports of whether mail arrived that this process was handed.",
  labels: {
    source: "`mail`, `ses`, `postmark`, `sendgrid`",
    outcome:
      "`taken`, `ignored` (of no message that is known, or nothing new), `refused` (a wrong signature or password, or unreadable)",
  },
});

/** Jobs. The label is not `job`: Prometheus has one of that name. */
export const jobRuns = metric({
  name: "ostiary.job.runs",
  kind: "counter",
  unit: "{run}",
  help: "Runs of jobs in this process.",
  labels: { job_name: "name of the job", outcome: "`succeeded` or `failed`" },
});

export const jobLastSuccess = metric({
  name: "ostiary.job.last_success.timestamp",
  kind: "gauge",
  unit: "s",
  help: "When this process last ran the job to its end, in seconds since 1970; 0: not yet. One process of all runs it each time.",
  across: "latest",
  labels: { job_name: "name of the job" },
});

/** Caches. */
export const cacheRequests = metric({
  name: "ostiary.cache.requests",
  kind: "counter",
  unit: "{request}",
  help: "Look-ups in caches of the process.",
  labels: { cache: "`sessions` or `breached_passwords`", result: "`hit` or `miss`" },
});

export const cacheEntries = metric({
  name: "ostiary.cache.entries",
  kind: "gauge",
  unit: "{entry}",
  help: "Entries of caches of the process.",
  labels: { cache: "`sessions` or `breached_passwords`" },
});

export const cacheSize = metric({
  name: "ostiary.cache.size",
  kind: "gauge",
  unit: "By",
  help: "Estimated memory of what caches of the process keep.",
  labels: { cache: "`sessions`" },
});

/** Budgets of callers: server.budgets. */
export const connectionsOpen = metric({
  name: "ostiary.connections",
  kind: "gauge",
  unit: "{connection}",
  help: "Open connections of clients, of both listeners.",
  labels: none,
});

export const connectionsClosed = metric({
  name: "ostiary.connections.closed",
  kind: "counter",
  unit: "{connection}",
  help: "Connections that were closed or refused because there were too many.",
  labels: none,
});

export const requestMemory = metric({
  name: "ostiary.request.memory",
  kind: "gauge",
  unit: "By",
  help: "What calls hold of server.budgets.request_bytes.",
  labels: { caller: "`anonymous` (without a valid credential) or `known`, which have budgets of their own" },
});

export const anonymousStreams = metric({
  name: "ostiary.anonymous.streams",
  kind: "gauge",
  unit: "{stream}",
  help: "Open streams without a valid credential.",
  labels: none,
});

export const sessionWatchers = metric({
  name: "ostiary.session.watchers",
  kind: "gauge",
  unit: "{stream}",
  help: "Open streams of WatchSessions.",
  labels: none,
});

export const budgetRefusals = metric({
  name: "ostiary.budget.refusals",
  kind: "counter",
  unit: "{call}",
  help: "Calls that were refused because a budget had no more.",
  labels: none,
});

/** The processes of a server. */
export const workersServing = metric({
  name: "ostiary.workers.serving",
  kind: "gauge",
  unit: "{worker}",
  help: "Workers that serve; 1 for a server alone. While they are replaced there is one more.",
  labels: none,
});

export const workersWanted = metric({
  name: "ostiary.workers.wanted",
  kind: "gauge",
  unit: "{worker}",
  help: "How many workers there are to be: server.workers.",
  across: "max",
  labels: none,
});

/** The process, or all workers together. */
export const buildInfo = metric({
  name: "ostiary.build.info",
  kind: "gauge",
  unit: "{process}",
  help: "Always 1.",
  across: "max",
  labels: { version: "version of the server", node: "version of Node.js" },
});

export const processCpu = metric({
  name: "process.cpu.time",
  prometheusName: "process_cpu_seconds_total",
  kind: "counter",
  unit: "s",
  help: "CPU time of the process, user and system.",
  labels: none,
});

export const processMemory = metric({
  name: "process.memory.usage",
  prometheusName: "process_resident_memory_bytes",
  kind: "gauge",
  unit: "By",
  help: "Resident memory of the process.",
  labels: none,
});

export const processStart = metric({
  name: "process.start_time",
  kind: "gauge",
  unit: "s",
  help: "When the process started, in seconds since 1970.",
  across: "min",
  labels: none,
});

export const heapUsed = metric({
  name: "v8js.memory.heap.used",
  kind: "gauge",
  unit: "By",
  help: "Used part of the JavaScript heap.",
  labels: none,
});

export const eventLoopTime = metric({
  name: "nodejs.eventloop.time",
  kind: "counter",
  unit: "s",
  help: "Time that the event loop has spent; the rate of `active` is its share of one core.",
  labels: { "nodejs.eventloop.state": "`active` or `idle`" },
});

export const eventLoopDelay: Histogram<never> = {
  ...metric({
    name: "nodejs.eventloop.delay",
    kind: "histogram",
    unit: "s",
    help: "How late the event loop was, measured ten times a second.",
    labels: none,
  }),
  bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
};

/** All metrics, in the order of the page. */
export const catalogue: readonly (Metric | Histogram)[] = [
  rpcServerCallDuration,
  httpServerRequestDuration,
  refusals,
  flowSteps,
  tokensIssued,
  hashRunning,
  hashWaiting,
  hashWaitingLimit,
  hashRefused,
  hashDropped,
  databaseUp,
  databaseErrors,
  poolConnections,
  poolLimit,
  poolWaiting,
  courierMessages,
  courierOldest,
  courierAttempts,
  arrivalReports,
  jobRuns,
  jobLastSuccess,
  feedAge,
  feedEvents,
  feedResets,
  cacheRequests,
  cacheEntries,
  cacheSize,
  connectionsOpen,
  connectionsClosed,
  requestMemory,
  anonymousStreams,
  sessionWatchers,
  budgetRefusals,
  workersServing,
  workersWanted,
  buildInfo,
  processCpu,
  processMemory,
  processStart,
  heapUsed,
  eventLoopTime,
  eventLoopDelay,
];
