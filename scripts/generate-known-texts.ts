// SPDX-License-Identifier: Apache-2.0
// Writes src/config/known-texts.generated.ts: what an operator's texts can stand for, and the values that each has. So the server
// can check them at a start, also where the pages are not built.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { runnerImport } from "vite";
import { errorTexts } from "../src/domain/errors.ts";
import * as actionMessages from "../src/domain/user-message/action-messages.ts";
import * as factorMessages from "../src/domain/user-message/factor-messages.ts";
import * as oauth2Messages from "../src/domain/user-message/oauth2-messages.ts";
import * as providerMessages from "../src/domain/user-message/provider-messages.ts";
import * as stageMessages from "../src/domain/user-message/stage-messages.ts";
import type { UserMessage } from "../src/domain/user-message/user-message.ts";
import * as messages from "../src/domain/user-message/user-messages.ts";
import { sdkSources } from "../ui/vite.config.ts";

const file = "src/config/known-texts.generated.ts";

const sources = {
  ...messages,
  ...stageMessages,
  ...factorMessages,
  ...actionMessages,
  ...oauth2Messages,
  ...providerMessages,
};

// Each message, for each kind of flow and action, and made of any other values at all: the number and the names of its values count.
const text = { text: "a", translations: {} };
const kinds = [
  ...["login", "registration", "verification", "recovery", "settings"],
  ...["set_password", "verify_address", "complete_traits", "enrol_factor", "accept_terms"],
];
const firstValues = [1, 0, new Date(0), text, [text], ...kinds];
const secondValues = [2, new Date(0)];

/** The values of each message by its number. */
export function knownMessages(): Readonly<Record<string, readonly string[]>> {
  const known = new Map<number, Set<string>>();
  const note = (id: number, names: readonly string[]) =>
    known.set(id, new Set([...(known.get(id) ?? []), ...names]));
  for (const make of Object.values(sources) as ((...values: unknown[]) => UserMessage | undefined)[]) {
    for (const made of madeBy(make)) note(made.id, Object.keys(made.context ?? {}));
  }
  for (const { user } of Object.values(errorTexts)) {
    if (user !== undefined) note(user.id, placeholdersIn(user.text));
  }
  const sorted = [...known].sort(([first], [second]) => first - second);
  return Object.fromEntries(sorted.map(([id, names]) => [id, [...names].sort()]));
}

/** The values of each word of the pages by its path: `login.title`. */
export async function knownWords(): Promise<Readonly<Record<string, readonly string[]>>> {
  const { module } = await runnerImport<{ english: object }>("/src/language/english.ts", {
    root: "ui",
    resolve: { alias: [...sdkSources] },
    logLevel: "error",
  });
  const { messages: _messages, tag: _tag, name: _name, ...words } = module.english as Record<string, unknown>;
  return Object.fromEntries(pathsIn(words, "").map(([path, said]) => [path, placeholdersIn(said)] as const));
}

function madeBy(make: (...values: unknown[]) => UserMessage | undefined): readonly UserMessage[] {
  return firstValues.flatMap((first) =>
    secondValues.flatMap((second) => {
      try {
        const made = make(first, second);
        return made?.id === undefined || made.text === undefined ? [] : [made];
      } catch {
        // It is made of values of another kind, which are tried as well.
        return [];
      }
    }),
  );
}

function pathsIn(words: object, prefix: string): readonly (readonly [string, string])[] {
  return Object.entries(words).flatMap(([name, value]) => {
    if (typeof value === "string") return [[`${prefix}${name}`, value] as const];
    return typeof value === "object" && value !== null ? pathsIn(value, `${prefix}${name}.`) : [];
  });
}

function placeholdersIn(said: string): readonly string[] {
  return [...new Set([...said.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name))].sort();
}

if (import.meta.main) {
  const lines = [
    "// Written by scripts/generate-known-texts.ts (`make generate`).",
    "",
    "/** The names of the values of each message that people are shown, by its permanent number. */",
    `export const knownMessages: Readonly<Record<string, readonly string[]>> = ${JSON.stringify(knownMessages())};`,
    "",
    "/** The names of the values of each word of the pages, by its path. */",
    `export const knownWords: Readonly<Record<string, readonly string[]>> = ${JSON.stringify(await knownWords())};`,
    "",
  ];
  writeFileSync(file, lines.join("\n"));
  execFileSync("node_modules/.bin/biome", ["format", "--write", file], { stdio: "ignore" });
}
