// SPDX-License-Identifier: Apache-2.0
// Writes the tables of src/domain/flow/README.md and docs/flows.md from the tables that the flows follow.
import { readFileSync, writeFileSync } from "node:fs";
import { docsTables, readmeTables } from "./flow-tables.ts";

for (const [file, tables] of [
  ["src/domain/flow/README.md", readmeTables()],
  ["docs/flows.md", docsTables()],
] as const) {
  let text = readFileSync(file, "utf8");
  for (const [kind, table] of Object.entries(tables)) {
    const [begin, end] = [`<!-- table: ${kind} -->`, `<!-- end of table: ${kind} -->`];
    const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
    if (from < begin.length || to < from) throw new Error(`${file} has no place for the table of ${kind}`);
    text = `${text.slice(0, from)}\n\n${table}\n\n${text.slice(to)}`;
  }
  writeFileSync(file, text);
}
