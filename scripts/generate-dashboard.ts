// SPDX-License-Identifier: Apache-2.0
// Writes monitoring/grafana-dashboard.json from the rows below. Import it in Grafana 10 or newer; it asks for the data source.
import { writeFileSync } from "node:fs";

const file = "monitoring/grafana-dashboard.json";

/** A panel: its title, its unit as Grafana names it, and its expressions with the legend of each. */
type Panel = readonly [
  title: string,
  unit: string,
  ...lines: (readonly [expression: string, legend: string])[],
];

const of = 'job="$job"';
const calls = `rpc_server_call_duration_seconds`;
const check = `rpc_method="ostiary.session.v1.SessionService/CheckSession"`;
const quantile = (share: string, selector: string, by = "") =>
  `histogram_quantile(${share}, sum by (le${by}) (rate(${calls}_bucket{${of}${selector}}[$__rate_interval])))`;
const rate = (metric: string, selector = "") => `rate(${metric}{${of}${selector}}[$__rate_interval])`;

const rows: readonly (readonly [title: string, ...panels: Panel[]])[] = [
  [
    "Is it well?",
    ["Database answers", "none", [`min(ostiary_database_up{${of}})`, "up"]],
    [
      "Failures of the server",
      "percentunit",
      [
        `sum(${rate(`${calls}_count`, ',error_type!=""')}) / sum(${rate(`${calls}_count`)})`,
        "share of calls",
      ],
    ],
    ["Processes", "none", [`sum by (version) (ostiary_build_info{${of}})`, "{{version}}"]],
    [
      "Workers",
      "none",
      [`sum(ostiary_workers_serving{${of}})`, "serving"],
      [`sum(ostiary_workers_wanted{${of}})`, "wanted"],
    ],
    ["Since the start", "s", [`time() - process_start_time_seconds{${of}}`, "{{instance}}"]],
  ],
  [
    "Calls",
    [
      "Calls by method",
      "reqps",
      [`topk(10, sum by (rpc_method) (${rate(`${calls}_count`)}))`, "{{rpc_method}}"],
    ],
    [
      "Calls by status",
      "reqps",
      [`sum by (rpc_status_code) (${rate(`${calls}_count`)})`, "{{rpc_status_code}}"],
    ],
    [
      "Duration of session checks",
      "s",
      [quantile("0.5", `,${check}`), "half"],
      [quantile("0.99", `,${check}`), "99 of 100"],
    ],
    [
      "Duration of other calls, 99 of 100",
      "s",
      [quantile("0.99", `,rpc_method!~".*/CheckSession|.*Watch.*"`, ", rpc_method"), "{{rpc_method}}"],
    ],
    [
      "Refusals by reason",
      "reqps",
      [`sum by (reason, scope) (${rate("ostiary_refusals_total")})`, "{{reason}} {{scope}}"],
    ],
    [
      "Requests that are no calls",
      "reqps",
      [
        `sum by (http_route, error_type) (${rate("http_server_request_duration_seconds_count")})`,
        "{{http_route}} {{error_type}}",
      ],
    ],
  ],
  [
    "Flows",
    [
      "Logins",
      "reqps",
      [
        `sum by (method, outcome, reason) (${rate("ostiary_flow_steps_total", ',kind="login"')})`,
        "{{method}} {{outcome}} {{reason}}",
      ],
    ],
    [
      "Other flows",
      "reqps",
      [
        `sum by (kind, outcome) (${rate("ostiary_flow_steps_total", ',kind!="login"')})`,
        "{{kind}} {{outcome}}",
      ],
    ],
    [
      "Signed tokens",
      "reqps",
      [`sum by (template) (${rate("ostiary_tokens_issued_total")})`, "{{template}}"],
    ],
    [
      "Passwords that wait to be hashed",
      "none",
      [`sum by (lane) (ostiary_hash_running{${of}})`, "{{lane}}: computed"],
      [`sum by (lane) (ostiary_hash_waiting{${of}})`, "{{lane}}: waiting"],
      [`sum by (lane) (ostiary_hash_waiting_limit{${of}})`, "{{lane}}: may wait"],
    ],
    [
      "Passwords that were refused or given up",
      "reqps",
      [`sum by (lane) (${rate("ostiary_hash_refused_total")})`, "{{lane}}: refused"],
      [`sum by (lane) (${rate("ostiary_hash_dropped_total")})`, "{{lane}}: nobody waited any more"],
    ],
  ],
  [
    "Database",
    [
      "Connections",
      "none",
      [
        `sum by (db_client_connection_pool_name, db_client_connection_state) (db_client_connections{${of}})`,
        "{{db_client_connection_pool_name}} {{db_client_connection_state}}",
      ],
      [
        `sum by (db_client_connection_pool_name) (db_client_connection_max{${of}})`,
        "{{db_client_connection_pool_name}} most",
      ],
    ],
    [
      "Waiting for a connection",
      "none",
      [
        `sum by (db_client_connection_pool_name) (db_client_connection_pending_requests{${of}})`,
        "{{db_client_connection_pool_name}}",
      ],
    ],
    [
      "Refusals of the database",
      "reqps",
      [
        `sum by (db_response_status_code) (${rate("ostiary_database_errors_total")})`,
        "{{db_response_status_code}}",
      ],
    ],
    [
      "Since the last run of each job",
      "s",
      [
        `time() - clamp_min(max by (job_name) (ostiary_job_last_success_timestamp_seconds{${of}}), scalar(min(process_start_time_seconds{${of}})))`,
        "{{job_name}}",
      ],
      [
        `sum by (job_name) (increase(ostiary_job_runs_total{${of},outcome="failed"}[1h]))`,
        "{{job_name}} failed",
      ],
    ],
  ],
  [
    "Mail and text messages",
    ["Queue", "none", [`max by (state) (ostiary_courier_messages{${of}})`, "{{state}}"]],
    ["Age of the oldest", "s", [`max(ostiary_courier_oldest_message_age_seconds{${of}})`, "oldest"]],
    ["Attempts", "reqps", [`sum by (outcome) (${rate("ostiary_courier_attempts_total")})`, "{{outcome}}"]],
    [
      "Reports",
      "reqps",
      [`sum by (source, outcome) (${rate("ostiary_courier_reports_total")})`, "{{source}}: {{outcome}}"],
    ],
  ],
  [
    "Process",
    ["CPU", "none", [rate("process_cpu_seconds_total"), "{{instance}}"]],
    [
      "Memory",
      "bytes",
      [`process_resident_memory_bytes{${of}}`, "resident {{instance}}"],
      [`v8js_memory_heap_used_bytes{${of}}`, "heap {{instance}}"],
    ],
    [
      "Event loop is late, 99 of 100",
      "s",
      [
        `histogram_quantile(0.99, sum by (le, instance) (${rate("nodejs_eventloop_delay_seconds_bucket")}))`,
        "{{instance}}",
      ],
    ],
    [
      "Event loop is busy",
      "percentunit",
      [rate("nodejs_eventloop_time_seconds_total", ',nodejs_eventloop_state="active"'), "{{instance}}"],
    ],
    [
      "Budgets of callers",
      "none",
      [`sum(ostiary_connections{${of}})`, "connections"],
      [`sum(ostiary_anonymous_streams{${of}})`, "streams"],
    ],
    ["Memory of requests", "bytes", [`sum by (caller) (ostiary_request_memory_bytes{${of}})`, "{{caller}}"]],
    [
      "Refused by budgets",
      "reqps",
      [`sum(${rate("ostiary_budget_refusals_total")})`, "calls"],
      [`sum(${rate("ostiary_connections_closed_total")})`, "connections"],
    ],
    [
      "Caches",
      "percentunit",
      [
        `sum by (cache) (${rate("ostiary_cache_requests_total", ',result="hit"')}) / sum by (cache) (${rate("ostiary_cache_requests_total")})`,
        "{{cache}} hits",
      ],
    ],
    ["Entries of caches", "none", [`sum by (cache) (ostiary_cache_entries{${of}})`, "{{cache}}"]],
    [
      "Age of the event feed",
      "s",
      [`max by (instance) (ostiary_event_feed_age_seconds{${of}})`, "{{instance}}"],
    ],
    [
      "Events that were told",
      "reqps",
      [`sum(${rate("ostiary_event_feed_events_total")})`, "events"],
      [`sum(${rate("ostiary_event_feed_resets_total")})`, "begun anew"],
    ],
    ["Services that follow sessions", "none", [`sum(ostiary_session_watchers{${of}})`, "streams"]],
    ["Memory of caches", "bytes", [`sum by (cache) (ostiary_cache_size_bytes{${of}})`, "{{cache}}"]],
  ],
];

const datasource = { type: "prometheus", uid: "$datasource" };
const size = { w: 8, h: 7 };
const columns = 24 / size.w;
let y = 0;
let id = 0;

const panels = rows.flatMap(([title, ...inRow]) => {
  const row = {
    id: ++id,
    type: "row",
    title,
    collapsed: false,
    gridPos: { x: 0, y: y++, w: 24, h: 1 },
    panels: [],
  };
  const drawn = inRow.map(([name, unit, ...lines], index) => ({
    id: ++id,
    type: "timeseries",
    title: name,
    datasource,
    gridPos: { x: (index % columns) * size.w, y: y + Math.floor(index / columns) * size.h, ...size },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: lines.map(([expr, legendFormat], line) => ({
      refId: String.fromCharCode(65 + line),
      datasource,
      expr,
      legendFormat,
    })),
  }));
  y += Math.ceil(inRow.length / columns) * size.h;
  return [row, ...drawn];
});

const dashboard = {
  uid: "ostiary",
  title: "Ostiary",
  tags: ["ostiary"],
  schemaVersion: 39,
  time: { from: "now-6h", to: "now" },
  refresh: "30s",
  templating: {
    list: [
      { name: "datasource", label: "Data source", type: "datasource", query: "prometheus" },
      {
        name: "job",
        label: "Job",
        type: "query",
        datasource,
        query: "label_values(ostiary_build_info, job)",
        refresh: 2,
      },
    ],
  },
  panels,
};
writeFileSync(file, `${JSON.stringify(dashboard, undefined, 2)}\n`);
