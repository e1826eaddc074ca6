import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { contracts } from "../../src/app-services.ts";

const lists = contracts.flatMap((service) =>
  service.methods
    .filter(({ output }) => output.fields.some(({ name }) => name === "next_page_token"))
    .map((method) => [`${service.name}.${method.name}`, method] as const),
);

describe("every list", () => {
  test("is found", () => {
    expect(lists.length).toBeGreaterThanOrEqual(9);
  });

  test.each(lists)("%s takes a size and a token", (_name, method) => {
    expect(method.input.fields.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["page_size", "page_token"]),
    );
  });

  // Loops that stop at a page that is not full would lose items as soon as a page ends early, so it is said from the beginning.
  test.each(lists)("%s says that a page may be shorter than asked for", (_name, method) => {
    expect(commentOf(method.input.file.proto.name, method.input.name, "page_size")).toContain(
      "A page may be shorter than asked for; `next_page_token` alone says whether more follow.",
    );
  });
});

/** The comment of a field, on one line. */
function commentOf(file: string, message: string, field: string): string {
  const source = readFileSync(`proto/${file}`, "utf8");
  const body = source.slice(source.indexOf(`\nmessage ${message} {`));
  const [, comment = ""] = new RegExp(`((?: *//[^\\n]*\\n)+) *\\w+ ${field} = `).exec(body) ?? [];
  return comment.replaceAll(/\s*\/\/\s*/g, " ").trim();
}
