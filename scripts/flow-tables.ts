// SPDX-License-Identifier: Apache-2.0
import { createFlows } from "../src/domain/flow/create-flows.ts";
import { createMethods } from "../src/domain/method/create-methods.ts";

/** The part of a table that is printed. */
interface PrintedState {
  readonly stage: string;
  readonly steps: Readonly<Record<string, PrintedStep>>;
}
interface PrintedStep {
  readonly leadsTo: readonly string[];
  readonly limits?: readonly string[];
  readonly needs?: string;
}

/** The tables of all kinds of flows, as the server follows them. Nothing is called, so nothing of what they are made of is needed. */
export function flowTables(): Readonly<Record<string, Readonly<Record<string, PrintedState>>>> {
  const methods = createMethods({} as Parameters<typeof createMethods>[0]);
  return createFlows({ methods, stores: {} } as Parameters<typeof createFlows>[0]).tables;
}

/** For developers: each step of each state, with all that it says. */
export function readmeTables(): Record<string, string> {
  const head = ["state", "shown as", "step", "leads to", "counts as", "needs"];
  return mapTables((states) =>
    table(
      head,
      Object.entries(states).flatMap(([at, { stage, steps }]) =>
        Object.entries(steps).map(([step, { leadsTo, limits = [], needs = "" }], index) => [
          index === 0 ? `\`${at}\`` : "",
          index === 0 && stage !== at ? `\`${stage}\`` : "",
          `\`${step}\``,
          leadsTo.length === 0 ? "itself" : leadsTo.map(code).join(", "),
          limits.map(code).join(", "),
          needs,
        ]),
      ),
    ),
  );
}

/** For users: the steps of each stage, in the names of the contract. */
export function docsTables(): Record<string, string> {
  return mapTables((states) => {
    const stageOf = (at: string) => camelCase(states[at]?.stage ?? at);
    const rows = new Map<string, Map<string, Set<string>>>();
    for (const [at, { stage, steps }] of Object.entries(states)) {
      const row = rows.get(camelCase(stage)) ?? new Map<string, Set<string>>();
      rows.set(camelCase(stage), row);
      for (const [step, { leadsTo }] of Object.entries(steps)) {
        const others = leadsTo.filter((target) => target !== at).map(stageOf);
        row.set(step, new Set([...(row.get(step) ?? []), ...others]));
      }
    }
    return table(
      ["stage", "step", "leads to"],
      [...rows].flatMap(([stage, steps]) =>
        [...steps].map(([step, targets], index) => {
          const others = [...targets].map((target) => (target === "completed" ? "completed" : code(target)));
          return [index === 0 ? code(stage) : "", code(step), others.join(", ") || "the same stage"];
        }),
      ),
    );
  });
}

function mapTables(
  print: (states: Readonly<Record<string, PrintedState>>) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(flowTables()).map(([kind, states]) => [kind, print(states)]));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((cells) => (cells[column] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

function code(name: string): string {
  return name === "completed" ? name : `\`${name}\``;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
