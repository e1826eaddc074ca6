import type { Histogram, Metric } from "./catalogue.ts";
import type { Distribution, MetricFamily, Sample } from "./metrics.ts";

const units: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes", "1": "_ratio" };

/** The name of a metric in Prometheus, made as OpenTelemetry's rules for it say: with its unit, and `_total` if it counts. */
export function prometheusNameOf({ name, prometheusName, kind, unit }: Metric): string {
  return prometheusName ?? `${underscored(name)}${units[unit] ?? ""}${kind === "counter" ? "_total" : ""}`;
}

/** The name of a label in Prometheus. */
export function underscored(name: string): string {
  return name.replaceAll(".", "_");
}

/** The metrics in Prometheus' text format 0.0.4. */
export function renderPrometheus(families: readonly MetricFamily[]): string {
  return `${families.flatMap(renderFamily).join("\n")}\n`;
}

function renderFamily({ metric, samples }: MetricFamily): string[] {
  const name = prometheusNameOf(metric);
  const head = [`# HELP ${name} ${metric.help}`, `# TYPE ${name} ${metric.kind}`];
  return [...head, ...samples.flatMap((sample) => renderSample(name, metric, sample))];
}

function renderSample(name: string, metric: Metric | Histogram, { labels, value }: Sample): string[] {
  const pairs = Object.entries(labels).map(([label, text]) => `${underscored(label)}="${escaped(text)}"`);
  if (typeof value === "number") return [`${name}${braced(pairs)} ${value}`];
  return renderDistribution(name, pairs, "bounds" in metric ? metric.bounds : [], value);
}

function renderDistribution(
  name: string,
  pairs: readonly string[],
  bounds: readonly number[],
  { buckets, sum }: Distribution,
): string[] {
  let count = 0;
  const lines = Array.from(buckets, (inBucket, index) => {
    count += inBucket;
    return `${name}_bucket${braced([...pairs, `le="${bounds[index] ?? "+Inf"}"`])} ${count}`;
  });
  return [...lines, `${name}_sum${braced(pairs)} ${sum}`, `${name}_count${braced(pairs)} ${count}`];
}

function braced(pairs: readonly string[]): string {
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
