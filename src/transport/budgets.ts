import * as metric from "./metrics/catalogue.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { type BudgetLimits, Connections } from "./net/connections.ts";
import { type CallBudgetLimits, CallBudgets } from "./rpc/call-budgets.ts";

/** How much the callers of this process may hold (`server.budgets`). */
export interface BudgetSettings extends CallBudgetLimits {
  readonly connections: BudgetLimits;
}

/** The defaults of the configuration. */
export const defaultBudgets: BudgetSettings = {
  connections: { total: 5_000, share: 500 },
  requestBytes: { total: 32 * 1024 * 1024, share: 8 * 1024 * 1024 },
  streams: { total: 500, share: 20 },
};

/** What the callers of both listeners of a process hold. */
export interface Budgets {
  readonly connections: Connections;
  readonly calls: CallBudgets;
}

/** Makes the budgets of a process. */
export function createBudgets(settings: BudgetSettings): Budgets {
  return { connections: new Connections(settings.connections), calls: new CallBudgets(settings) };
}

/** Adds the figures of the budgets. */
export function watchBudgets(
  metrics: Metrics,
  { connections, calls: { strangers, known, lookups } }: Budgets,
): void {
  metrics.watch(metric.connectionsOpen, () => connections.open);
  metrics.watch(metric.connectionsClosed, () => connections.closed);
  metrics.watch(metric.requestMemory, () => [
    { labels: { caller: "anonymous" }, value: strangers.bytes.held },
    { labels: { caller: "known" }, value: known.bytes.held },
  ]);
  metrics.watch(metric.anonymousStreams, () => strangers.streams.held);
  metrics.watch(metric.budgetRefusals, () =>
    [strangers.bytes, strangers.streams, known.bytes, known.streams, lookups].reduce(
      (sum, budget) => sum + budget.refused,
      0,
    ),
  );
}
