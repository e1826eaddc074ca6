import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { catalogue } from "../../src/transport/metrics/catalogue.ts";
import { prometheusNameOf, underscored } from "../../src/transport/metrics/prometheus.ts";
import { isInstalled, outputOf } from "../support/foreign.ts";

const rulesFile = "monitoring/prometheus-rules.yaml";
const promtool = await isInstalled("promtool", ["--version"]);

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

const { groups } = parse(await readFile(rulesFile, "utf8")) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(await readFile("monitoring/grafana-dashboard.json", "utf8")) as {
  panels: { title: string; targets?: { expr: string }[] }[];
};
const drawn = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({
    title,
    // As Grafana fills them in.
    expr: expr.replaceAll("$job", "ostiary").replaceAll("$__rate_interval", "5m"),
  })),
);
const operations = await readFile("docs/operations.md", "utf8");

/** The names of metrics in an expression. */
function namesIn(expression: string): string[] {
  const names = expression.match(
    /\b(?:ostiary|rpc|http|db_client|process|nodejs|v8js|up)[a-z0-9_]*(?=\{|\[|\)| |$)/gm,
  );
  return (names ?? []).filter((name) => !labels.has(name));
}

const labels = new Set(catalogue.flatMap((metric) => Object.keys(metric.labels).map(underscored)));
const byName = new Map(catalogue.map((metric) => [prometheusNameOf(metric), metric]));

function metricOf(name: string) {
  const metric = byName.get(name) ?? byName.get(name.replace(/_(bucket|sum|count)$/, ""));
  if (metric?.kind === "histogram" && byName.has(name)) return undefined;
  return metric;
}

describe("alert rules and dashboard", () => {
  test.skipIf(!promtool)("the rules are as promtool wants them, and fire when they should", async () => {
    expect(await outputOf("promtool", ["check", "rules", rulesFile])).toContain(
      `${rules.length} rules found`,
    );
    expect(await outputOf("promtool", ["test", "rules", "monitoring/prometheus-rules.test.yaml"])).toContain(
      "SUCCESS",
    );
  });

  test.skipIf(!promtool)("every expression of the dashboard is one", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ostiary-dashboard-"));
    const file = join(folder, "dashboard.json");
    const recorded = drawn.map(({ expr }, index) => ({ record: `panel:${index}`, expr }));
    // YAML has JSON in it.
    await writeFile(file, JSON.stringify({ groups: [{ name: "dashboard", rules: recorded }] }));
    expect(await outputOf("promtool", ["check", "rules", file])).toContain(`${drawn.length} rules found`);
    await rm(folder, { recursive: true });
  });

  test.each([
    ...rules.map(({ alert, expr }) => [alert, expr]),
    ...drawn.map(({ title, expr }) => [title, expr]),
  ])("%s names metrics and labels that there are", (_, expr = "") => {
    const names = namesIn(expr);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => name !== "up" && metricOf(name) === undefined)).toEqual([]);
    const known = new Set(["job", "instance", "le"]);
    for (const name of names) {
      for (const label of Object.keys(metricOf(name)?.labels ?? {})) known.add(underscored(label));
    }
    const used = [
      ...[...expr.matchAll(/([a-z_]+)(?:=~|!~|!=|=)"/g)].map(([, label = ""]) => label),
      ...[...expr.matchAll(/\bby \(([a-z_, ]+)\)/g)].flatMap(([, list = ""]) => list.split(", ")),
    ];
    expect(used.filter((label) => !known.has(label))).toEqual([]);
  });

  test("every metric is on the dashboard", () => {
    const shown = new Set(drawn.flatMap(({ expr }) => namesIn(expr)).map(metricOf));
    expect(catalogue.filter((metric) => !shown.has(metric)).map(prometheusNameOf)).toEqual([]);
  });

  test("each alert has a paragraph that says what to do, and each paragraph its alert", () => {
    const paragraphs = operations.slice(operations.indexOf("\n## Alerts"));
    const headings = [...paragraphs.matchAll(/^### (Ostiary\w+)$/gm)].map(([, name]) => name);
    expect(headings).toEqual(rules.map(({ alert }) => alert).sort(byPlaceIn(headings)));
    expect(rules.map(({ annotations }) => annotations.runbook)).toEqual(
      rules.map(({ alert }) => `docs/operations.md#${alert.toLowerCase()}`),
    );
  });

  test("the page of metrics has every name, and no other", async () => {
    const page = await readFile("docs/metrics.md", "utf8");
    const named = [...page.matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map(([, name]) => name);
    expect(named).toEqual(catalogue.map(prometheusNameOf));
  });
});

function byPlaceIn(names: readonly (string | undefined)[]) {
  return (left: string, right: string) => names.indexOf(left) - names.indexOf(right);
}
