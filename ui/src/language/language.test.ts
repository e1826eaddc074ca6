import { expect, test } from "vitest";
import { languages } from "./index.ts";

test.each(languages)(
  "$name has a catalogue and words of its own, with its tag",
  async ({ tag, name, load }) => {
    const words = await load();
    expect(words).toMatchObject({ tag, name });
    expect(Object.keys(words.messages).length).toBeGreaterThan(200);
    expect(words.form.optional).toBe("optional");
  },
);
