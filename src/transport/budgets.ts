import { type BudgetLimits, Connections } from "./net/connections.ts";
import type { Gauge } from "./pages/metrics.ts";
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

/** The figures of the budgets. */
export function gaugesOf({ connections, calls: { strangers, known, lookups } }: Budgets): readonly Gauge[] {
  const refused = () =>
    [strangers.bytes, strangers.streams, known.bytes, known.streams, lookups].reduce(
      (sum, budget) => sum + budget.refused,
      0,
    );
  return [
    {
      name: "ostiary_connections",
      help: "Open connections of both listeners.",
      read: () => connections.open,
    },
    {
      name: "ostiary_connections_closed_total",
      help: "Connections that were closed or refused because there were too many.",
      type: "counter",
      read: () => connections.closed,
    },
    {
      name: "ostiary_anonymous_request_bytes",
      help: "What calls without a valid credential hold of server.budgets.request_bytes.",
      read: () => strangers.bytes.held,
    },
    {
      name: "ostiary_known_request_bytes",
      help: "What calls with a valid credential hold of their own server.budgets.request_bytes.",
      read: () => known.bytes.held,
    },
    {
      name: "ostiary_anonymous_streams",
      help: "Open streams without a valid credential.",
      read: () => strangers.streams.held,
    },
    {
      name: "ostiary_budget_refusals_total",
      help: "Calls that were refused because a budget had no more.",
      type: "counter",
      read: refused,
    },
  ];
}
