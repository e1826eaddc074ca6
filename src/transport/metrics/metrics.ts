import { type Counter, catalogue, type Histogram, type Metric, rpcServerCallDuration } from "./catalogue.ts";

/** The values of a metric's labels; those left out are not there. */
export type LabelsOf<M> = M extends Metric<infer Label> ? Readonly<Partial<Record<Label, string>>> : never;

/** How values are distributed. */
export interface Distribution {
  /** One for each bound and one for what is beyond them all; not yet summed up. */
  readonly buckets: Float64Array;
  sum: number;
}

/** A figure with its labels. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | Distribution;
}

/** A metric with all of its figures, at one moment. */
export interface MetricFamily {
  readonly metric: Metric | Histogram;
  readonly samples: readonly Sample[];
}

/** A figure that is read when somebody looks: itself, several with their labels, or nothing while it is not known. */
type Reading<M> = number | undefined | readonly { readonly labels: LabelsOf<M>; readonly value: number }[];

/**
 * The figures of the process. Each is of the process alone and the same for everybody who looks: nothing is set back by a look.
 *
 * It is written by hand because it runs in every call: counting one is three map lookups and an addition, and starting it loads
 * nothing. OpenTelemetry's meter (0.301) takes 31 MB and 0.25 s at the start, and 2 µs a call.
 */
export class Metrics {
  readonly #counted = new Map<Metric, Map<string, { labels: Record<string, string>; value: number }>>();
  readonly #recorded = new Map<
    Histogram,
    Map<string, { labels: Record<string, string>; value: Distribution }>
  >();
  readonly #watched = new Map<Metric, (() => Reading<Metric>)[]>();
  /** By method, system and code. */
  readonly #calls = new Map<string, Map<string, Map<string, Distribution>>>();

  /** Adds to a counter. */
  count<M extends Counter>(metric: M, labels: LabelsOf<M>, by = 1): void {
    const series = seriesOf(this.#counted, metric);
    const key = keyOf(labels);
    const known = series.get(key);
    if (known === undefined) series.set(key, { labels: present(labels), value: by });
    else known.value += by;
  }

  /** Sorts a value into the buckets of a histogram. */
  record<M extends Histogram>(metric: M, labels: LabelsOf<M>, value: number): void {
    const series = seriesOf(this.#recorded, metric);
    const key = keyOf(labels);
    let known = series.get(key);
    if (known === undefined) {
      known = { labels: present(labels), value: emptyDistribution(metric) };
      series.set(key, known);
    }
    add(known.value, metric.bounds, value);
  }

  /** Adds a figure that is read at each look. Several may have the same metric, with other labels. */
  watch<M extends Metric>(metric: M, read: () => Reading<M>): void {
    const readers = this.#watched.get(metric) ?? [];
    readers.push(read as () => Reading<Metric>);
    this.#watched.set(metric, readers);
  }

  /** Counts a call that has ended. `code` is empty where a call of Connect succeeded. The hot path: no labels are made. */
  observeCall(method: string, system: string, code: string, seconds: number): void {
    let bySystem = this.#calls.get(method);
    if (bySystem === undefined) {
      bySystem = new Map();
      this.#calls.set(method, bySystem);
    }
    let byCode = bySystem.get(system);
    if (byCode === undefined) {
      byCode = new Map();
      bySystem.set(system, byCode);
    }
    let durations = byCode.get(code);
    if (durations === undefined) {
      durations = emptyDistribution(rpcServerCallDuration);
      byCode.set(code, durations);
    }
    add(durations, rpcServerCallDuration.bounds, seconds);
  }

  /** All metrics of the catalogue, in its order, also those that have no figure yet. */
  read(): readonly MetricFamily[] {
    return catalogue.map((metric) => ({ metric, samples: [...this.#samplesOf(metric)] }));
  }

  *#samplesOf(metric: Metric | Histogram): Iterable<Sample> {
    if (metric === rpcServerCallDuration) yield* this.#callSamples();
    yield* this.#counted.get(metric)?.values() ?? [];
    yield* this.#recorded.get(metric as Histogram)?.values() ?? [];
    for (const read of this.#watched.get(metric) ?? []) {
      const reading = read();
      if (typeof reading === "number") yield { labels: {}, value: reading };
      else for (const { labels, value } of reading ?? []) yield { labels: present(labels), value };
    }
  }

  *#callSamples(): Iterable<Sample> {
    for (const [method, bySystem] of this.#calls) {
      for (const [system, byCode] of bySystem) {
        for (const [code, value] of byCode) {
          const labels = {
            "rpc.system.name": system,
            "rpc.method": method,
            "rpc.status_code": code === "" ? undefined : code,
            "error.type": isServerError(code) ? code : undefined,
          };
          yield { labels: present(labels), value };
        }
      }
    }
  }
}

/**
 * The codes that say that the server failed; all others are answers. As the conventions of gRPC and Connect have it for the side
 * of the server.
 */
const serverErrors = new Set(
  ["unknown", "deadline_exceeded", "unimplemented", "internal", "unavailable", "data_loss"].flatMap(
    (code) => [code, code.toUpperCase()],
  ),
);

/** Whether a call ended by a failure of the server. The code is spelled as `rpc.status_code`. */
export function isServerError(code: string): boolean {
  return serverErrors.has(code);
}

function seriesOf<M, Series>(all: Map<M, Map<string, Series>>, metric: M): Map<string, Series> {
  let series = all.get(metric);
  if (series === undefined) {
    series = new Map();
    all.set(metric, series);
  }
  return series;
}

function keyOf(labels: Readonly<Record<string, string | undefined>>): string {
  return Object.values(labels).join("\n");
}

function present(labels: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const there: Record<string, string> = {};
  for (const [name, value] of Object.entries(labels)) if (value !== undefined) there[name] = value;
  return there;
}

function emptyDistribution({ bounds }: Histogram): Distribution {
  return { buckets: new Float64Array(bounds.length + 1), sum: 0 };
}

function add(distribution: Distribution, bounds: readonly number[], value: number): void {
  let bucket = 0;
  while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++;
  distribution.buckets[bucket] = (distribution.buckets[bucket] ?? 0) + 1;
  distribution.sum += value;
}
