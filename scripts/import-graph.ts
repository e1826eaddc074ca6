// SPDX-License-Identifier: Apache-2.0
// Who imports whom: read from the sources. For docs/architecture.md and test/structure/architecture.test.ts.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** One file that imports another one of ours. Types count. */
export interface Import {
  readonly file: string;
  readonly target: string;
}

/** Groups, and the groups that each of them imports. */
export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** The source files of the product below a folder; tests beside the code may import what they like. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".test.ts"))
    .map((name) => join(folder, name))
    .sort();
}

/** What files import by a relative path. */
export function importsIn(files: readonly string[]): Import[] {
  return files.flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(
      ([, specifier = ""]) => ({ file, target: relative(".", join(dirname(file), specifier)) }),
    ),
  );
}

/** The graph of groups; a file without a group is left out. */
export function graphOf(imports: readonly Import[], groupOf: (file: string) => string | undefined): Graph {
  const graph = new Map<string, Set<string>>();
  for (const { file, target } of imports) {
    const [from, to] = [groupOf(file), groupOf(target)];
    if (from === undefined || to === undefined) continue;
    graph.set(from, graph.get(from) ?? new Set());
    graph.set(to, graph.get(to) ?? new Set());
    if (from !== to) graph.get(from)?.add(to);
  }
  return graph;
}

/** The rooms of src: its folders; the files of src that wire them are one room, and so is gen. */
export function roomOf(file: string): string | undefined {
  if (file.startsWith("gen/")) return "gen";
  if (/^src\/app[^/]*\.ts$/.test(file)) return "app";
  if (file === "src/main.ts") return "main";
  return /^src\/([^/]+)\//.exec(file)?.[1];
}

/** The folders of src/domain; the files beside them are the base that all of them stand on. */
export function domainFolderOf(file: string): string | undefined {
  const path = /^src\/domain\/(.*)$/.exec(file)?.[1];
  if (path === undefined) return undefined;
  return path.includes("/") ? path.split("/")[0] : "base";
}

/** The groups that import each other, also by way of others; empty if there is no circle. */
export function circleIn(graph: Graph): readonly string[] {
  const left = new Set(graph.keys());
  const isEnd = (group: string) =>
    ![...(graph.get(group) ?? [])].some((target) => left.has(target)) ||
    ![...left].some((other) => graph.get(other)?.has(group));
  for (let size = -1; size !== left.size; ) {
    size = left.size;
    for (const group of left) if (isEnd(group)) left.delete(group);
  }
  return [...left];
}

/** The groups, those that import nothing last, each above all that it imports. Only for a graph without circles. */
export function topDown(graph: Graph): readonly string[] {
  const height = (group: string): number =>
    Math.max(0, ...[...(graph.get(group) ?? [])].map((target) => 1 + height(target)));
  return [...graph.keys()].sort((one, other) => height(other) - height(one) || one.localeCompare(other));
}

/** The graph without arrows that a longer path implies, so that a picture can be read. */
export function withoutShortcuts(graph: Graph): Graph {
  const reaches = (from: string, to: string): boolean =>
    [...(graph.get(from) ?? [])].some((next) => next === to || reaches(next, to));
  return new Map(
    [...graph].map(([group, targets]) => [
      group,
      new Set([...targets].filter((to) => ![...targets].some((next) => next !== to && reaches(next, to)))),
    ]),
  );
}
