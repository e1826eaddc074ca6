// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { german } from "../texts/de.ts";
import { directionOf, optionsIn, withTexts } from "./catalogue.ts";
import { describeFailure } from "./describe-failure.ts";

describe("a catalogue", () => {
  test("says messages and the words of forms in its language", () => {
    const options = optionsIn(german);
    expect(options.translate?.({ id: 1010022, text: "Sign in" })).toBe("Anmelden");
    expect(options.texts?.show).toBe("Anzeigen");
    expect(describeFailure(new Error("none"), options)).toBe(german.form.failed);
  });

  test("takes other texts by number and by key, and nothing else", () => {
    const own = withTexts(german, {
      1010022: "Los",
      "1070008[what=link]": "Link, noch einmal",
      "form.show": "Zeig",
      "form.__proto__": "x",
      __proto__: "x",
      "form.unknown": "x",
      tag: "fr",
    });
    const say = optionsIn(own).translate;
    expect(say?.({ id: 1010022, text: "Sign in" })).toBe("Los");
    expect(say?.({ id: 1010015, text: "Send" })).toBe(german.messages[1010015]);
    expect(own.form).toEqual({ ...german.form, show: "Zeig" });
    expect(own.tag).toBe("de");
  });

  test("says the new sentence of a number in place of all its former ones", () => {
    const own = withTexts(german, { 1070008: "Noch einmal" });
    expect(optionsIn(own).translate?.({ id: 1070008, text: "", context: { what: "link" } })).toBe(
      "Noch einmal",
    );
    expect(german.messages["1070008[what=link]"]).toBe("Link erneut senden");
  });

  test.each([
    ["ar", "rtl"],
    ["he-IL", "rtl"],
    ["fa", "rtl"],
    ["ku-Arab", "rtl"],
    ["ku", "ltr"],
    ["de-CH", "ltr"],
    ["arn", "ltr"],
    ["", "ltr"],
  ])("in %s is read %s", (language, direction) => {
    expect(directionOf(language)).toBe(direction);
  });
});
