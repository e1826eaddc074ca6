import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

// Vitest waits a second if it is not told otherwise, which is too short for a busy machine.
test("every wait of a test says how long it may take", () => {
  const files = globSync("{test,src,sdk/typescript/src,ui/src}/**/*.ts", { exclude: ["**/node_modules/**"] });
  const impatient = files.flatMap((file) => {
    const text = readFileSync(file, "utf8");
    return [...text.matchAll(/vi\.wait(?:For|Until)\(/g)]
      .map(({ index }) => argumentsAt(text, text.indexOf("(", index)))
      .filter((call) => !/timeout|,\s*\w+,?\s*\)$/.test(call))
      .map((call) => `${file}: ${call}`);
  });
  expect(impatient).toEqual([]);
});

/** From an opening parenthesis to the one that closes it. */
function argumentsAt(text: string, start: number): string {
  let depth = 0;
  for (let end = start; end < text.length; end++) {
    if (text[end] === "(") depth++;
    if (text[end] === ")" && --depth === 0) return text.slice(start, end + 1);
  }
  return text.slice(start);
}
