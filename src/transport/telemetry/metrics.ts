import type { Resource } from "@opentelemetry/resources";
import type { DataPoint, MetricData, MetricProducer } from "@opentelemetry/sdk-metrics";
import type { Histogram, Metric } from "../metrics/catalogue.ts";
import type { Distribution, MetricFamily, Metrics, Sample } from "../metrics/metrics.ts";
import type { MetricsChoice } from "./variables.ts";

/** Sends the metrics now and then. They are those of `/metrics`, by their names in OpenTelemetry, cumulative from the start on. */
export async function startMetrics(
  { exporter: name, intervalMs, timeoutMs }: MetricsChoice,
  metrics: Metrics,
  { resource, version }: { readonly resource: Resource; readonly version: string },
): Promise<{ shutdown(): Promise<void> }> {
  const [sdk, core, api] = await Promise.all([
    import("@opentelemetry/sdk-metrics"),
    import("@opentelemetry/core"),
    import("@opentelemetry/api"),
  ]);
  const exporter =
    name === "console"
      ? new sdk.ConsoleMetricExporter()
      : new (await import("@opentelemetry/exporter-metrics-otlp-proto")).OTLPMetricExporter();
  const startTime = core.millisToHrTime(performance.timeOrigin);
  const producer: MetricProducer = {
    collect: () => {
      const endTime = core.millisToHrTime(Date.now());
      const toData = ({ metric, samples }: MetricFamily): MetricData => {
        const point = <Value>({ labels: attributes }: Sample, value: Value): DataPoint<Value> => {
          return { startTime, endTime, attributes, value };
        };
        const descriptor = {
          name: metric.name,
          description: metric.help,
          unit: metric.unit,
          valueType: api.ValueType.DOUBLE,
        };
        const common = { descriptor, aggregationTemporality: sdk.AggregationTemporality.CUMULATIVE };
        if ("bounds" in metric) {
          const dataPoints = samples.map((sample) => point(sample, toHistogram(metric, sample)));
          return { ...common, dataPointType: sdk.DataPointType.HISTOGRAM, dataPoints };
        }
        const dataPoints = samples.map((sample) => point(sample, Number(sample.value)));
        return metric.kind === "counter"
          ? { ...common, dataPointType: sdk.DataPointType.SUM, isMonotonic: true, dataPoints }
          : { ...common, dataPointType: sdk.DataPointType.GAUGE, dataPoints };
      };
      const families = metrics.read().filter(({ samples }) => samples.length > 0);
      const scopeMetrics = [{ scope: { name: "ostiary", version }, metrics: families.map(toData) }];
      return Promise.resolve({ resourceMetrics: { resource, scopeMetrics }, errors: [] });
    },
  };
  const reader = new sdk.PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: timeoutMs,
  });
  reader.setMetricProducer(producer);
  return { shutdown: () => reader.shutdown() };
}

function toHistogram(metric: Metric & Pick<Histogram, "bounds">, { value }: Sample) {
  const { buckets, sum } = value as Distribution;
  const counts = [...buckets];
  const count = counts.reduce((total, each) => total + each, 0);
  return { buckets: { boundaries: [...metric.bounds], counts }, sum, count };
}
