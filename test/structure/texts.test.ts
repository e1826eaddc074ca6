import { globSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { everyMessage } from "../../scripts/every-message.ts";
import { englishTexts as read, textValues as readValues } from "../../scripts/known-texts.ts";
import { translator } from "../../sdk/typescript/src/form/texts.ts";
import { german } from "../../sdk/typescript/src/texts/de.ts";
import { english } from "../../sdk/typescript/src/texts/en.ts";
import { checkTexts } from "../../src/domain/user-message/check-texts.ts";
import { englishTexts, textValues } from "../../src/domain/user-message/known-texts.generated.ts";
import { english as englishPages } from "../../ui/src/language/english.ts";
import { german as germanPages } from "../../ui/src/language/german.ts";

/** What the checker of files reads of a catalogue and the words of the pages. */
function fileOf(messages: object, form: object, pages: object): Record<string, unknown> {
  return { ...messages, ...flat({ form }), ...flat({ ...pages, tag: undefined }) };
}

function flat(words: object, path = ""): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(words).flatMap(([name, value]): [string, unknown][] => {
      if (typeof value === "object") return Object.entries(flat(value, `${path}${name}.`));
      return value === undefined ? [] : [[path + name, value]];
    }),
  );
}

const files = [
  ["English", fileOf(english.messages, english.form, englishPages)],
  ["German", fileOf(german.messages, german.form, germanPages)],
] as const;

describe("the texts", () => {
  test.each(files)("are complete in %s, and name only values that there are", (_, texts) => {
    expect(Object.keys(texts).length).toBeGreaterThan(350);
    expect(checkTexts(texts)).toEqual({ problems: [], missing: [] });
  });

  test("in English are the server's own words, but for times and for what a schema says", () => {
    const say = translator(english.messages, "en");
    const sentences = new Map(Object.entries(english.messages));
    const own = everyMessage.filter(({ id }) => {
      const sentence = String(sentences.get(String(id)) ?? "");
      // The reason that breaks a rule of a schema is for its author.
      return sentence !== "" && id !== 4000001 && !sentence.includes(":date");
    });
    expect(own.length).toBeGreaterThan(250);
    expect(own.map((message) => `${message.id} ${say(message)}`)).toEqual(
      own.map(({ id, text }) => `${id} ${text}`),
    );
  });

  test.each([english, german])(
    "in $tag are said of each message, with a value in each place",
    (catalogue) => {
      const say = translator(catalogue.messages, catalogue.tag);
      const said = everyMessage.map((message) =>
        say({ ...message, text: message.text && "in the server's words" }),
      );
      const alone = everyMessage.filter((_, index) => said[index] === "in the server's words");
      // What is only a value needs no translation.
      expect([...new Set(alone.map(({ id }) => id))].filter((id) => id in englishTexts)).toEqual([]);
      expect(said.filter((text) => /[{}]|undefined|null|NaN/.test(text))).toEqual([]);
    },
  );

  test("are known to the checker as they are (make generate)", () => {
    expect(englishTexts).toEqual(read);
    expect(textValues).toEqual(readValues);
    const page = readFileSync("docs/texts.md", "utf8");
    for (const key of Object.keys(textValues)) if (/^\d/.test(key)) expect(page).toContain(`| \`${key}\` |`);
  });

  test("are made with values in scripts/every-message.ts, those of every file", () => {
    const source = readFileSync("scripts/every-message.ts", "utf8");
    const made = globSync("src/domain/user-message/*-messages.ts");
    expect(made.length).toBeGreaterThan(5);
    for (const file of made) expect(source).toContain(`"../${file.replaceAll("\\", "/")}"`);
  });

  test("use one word for one thing", () => {
    const english = Object.values(englishTexts).join("\n");
    for (const word of [
      "e-mail",
      "user name",
      "make an account",
      "go on",
      "begin",
      "telephone",
      "anybody",
      "somebody",
    ]) {
      expect(english.toLowerCase()).not.toMatch(new RegExp(`\\b${word}\\b`));
    }
    const [, [, texts]] = files;
    expect(Object.values(texts).join("\n")).not.toMatch(
      /\b(Zeigen|Verbergen|freiwillig|anlegen|Knopf|Email)\b/,
    );
  });
});
