import { catalogue, type Metric } from "./catalogue.ts";
import type { Distribution, MetricFamily, Sample } from "./metrics.ts";

/** The figures of a process as they are sent to another one. */
export type PackedFigures = readonly PackedFamily[];

interface PackedFamily {
  readonly name: string;
  readonly samples: readonly PackedSample[];
}

interface PackedSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | PackedDistribution;
}

interface PackedDistribution {
  readonly buckets: readonly number[];
  readonly sum: number;
}

/** Packs the figures of this process. */
export function packFigures(families: readonly MetricFamily[]): PackedFigures {
  return families.map(({ metric, samples }) => ({
    name: metric.name,
    samples: samples.map(({ labels, value }) => ({ labels, value: packed(value) })),
  }));
}

/** The figures of all metrics that this release knows; of two releases side by side they may differ. */
export function unpackFigures(figures: PackedFigures): readonly MetricFamily[] {
  const byName = new Map(figures.map((family) => [family.name, family.samples]));
  return catalogue.map((metric) => ({ metric, samples: (byName.get(metric.name) ?? []).map(unpacked) }));
}

/**
 * The figures of a server that has several processes, as if it were one. What only grows does not shrink when a process ends: what
 * an ended one has counted is kept, or a rate would show calls that never were.
 */
export class ServerFigures {
  #ended: PackedFigures = [];

  /** Keeps what a process that has ended had counted at last. */
  keep(last: PackedFigures): void {
    const kept = last.filter(({ name }) => isKept(metricsByName.get(name)));
    this.#ended = combined([this.#ended, kept]);
  }

  /** The figures of the processes that live, and of those that have ended. */
  together(living: readonly PackedFigures[]): PackedFigures {
    return combined([this.#ended, ...living]);
  }
}

const metricsByName: ReadonlyMap<string, Metric> = new Map(catalogue.map((metric) => [metric.name, metric]));

function isKept(metric: Metric | undefined): boolean {
  return metric !== undefined && (metric.kind !== "gauge" || metric.across === "latest");
}

function combined(all: readonly PackedFigures[]): PackedFigures {
  const families = new Map<string, Map<string, PackedSample>>();
  for (const { name, samples } of all.flat()) {
    const metric = metricsByName.get(name);
    if (metric === undefined) continue;
    const series = families.get(name) ?? new Map<string, PackedSample>();
    families.set(name, series);
    for (const sample of samples) {
      const key = JSON.stringify(Object.entries(sample.labels).sort());
      const known = series.get(key);
      series.set(
        key,
        known === undefined ? sample : { ...known, value: both(metric, known.value, sample.value) },
      );
    }
  }
  return Array.from(families, ([name, series]) => ({ name, samples: [...series.values()] }));
}

function both(
  { across = "sum" }: Metric,
  left: PackedSample["value"],
  right: PackedSample["value"],
): PackedSample["value"] {
  if (typeof left === "number" && typeof right === "number") {
    if (across === "sum") return left + right;
    return across === "min" ? Math.min(left, right) : Math.max(left, right);
  }
  if (typeof left === "number" || typeof right === "number") return left;
  return {
    buckets: left.buckets.map((count, index) => count + (right.buckets[index] ?? 0)),
    sum: left.sum + right.sum,
  };
}

function packed(value: number | Distribution): number | PackedDistribution {
  return typeof value === "number" ? value : { buckets: [...value.buckets], sum: value.sum };
}

function unpacked({ labels, value }: PackedSample): Sample {
  if (typeof value === "number") return { labels, value };
  return { labels, value: { buckets: Float64Array.from(value.buckets), sum: value.sum } };
}
