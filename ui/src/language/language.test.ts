import type { NumberedMessage } from "@ostiary/sdk";
import { fillIn } from "@ostiary/sdk/form";
import { describe, expect, test } from "vitest";
import { errorTexts } from "../../../src/domain/errors.ts";
import * as accountMessages from "../../../src/domain/user-message/account-messages.ts";
import * as actionMessages from "../../../src/domain/user-message/action-messages.ts";
import * as factorMessages from "../../../src/domain/user-message/factor-messages.ts";
import * as oauth2Messages from "../../../src/domain/user-message/oauth2-messages.ts";
import * as providerMessages from "../../../src/domain/user-message/provider-messages.ts";
import * as stageMessages from "../../../src/domain/user-message/stage-messages.ts";
import * as messages from "../../../src/domain/user-message/user-messages.ts";
import { english } from "./english.ts";
import { german } from "./german.ts";

// Each message of the server, for each kind of flow and with any other values at all: the number and the names in the
// context count.
const kinds = [
  ...["login", "registration", "verification", "recovery", "settings"],
  ...["set_password", "verify_address", "complete_traits", "enrol_factor", "accept_terms"],
];
const text = { text: "a", translations: {} };
const ofForms = Object.values({
  ...messages,
  ...accountMessages,
  ...stageMessages,
  ...factorMessages,
  ...actionMessages,
  ...oauth2Messages,
  ...providerMessages,
})
  .flatMap((make) =>
    [1, 0, new Date(0), text, [text], ...kinds].flatMap((first) =>
      made(make as (...values: unknown[]) => messages.UserMessage | undefined, first),
    ),
  )
  .filter(({ id, text: said }) => id !== undefined && said !== undefined);

const ofErrors = Object.values(errorTexts).flatMap(({ user }) =>
  user === undefined ? [] : [{ ...user, context: contextOf(user.text) }],
);
const all: readonly NumberedMessage[] = [...ofForms, ...ofErrors];

/** A value for each placeholder in a sentence of an error. */
function contextOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => [name, "x"]));
}

/** A function that wants a value of another kind throws, and gets one of its kind as well. */
function made(
  make: (...values: unknown[]) => messages.UserMessage | undefined,
  first: unknown,
): readonly messages.UserMessage[] {
  return [2, new Date(0)].flatMap((second) => {
    try {
      return make(first, second) ?? [];
    } catch {
      return [];
    }
  });
}

describe("the messages of the server", () => {
  test("are all there in German", () => {
    const missing = all.filter(({ id }) => german.messages[id] === undefined);
    expect(missing.map(({ id, text }) => `${id} ${text}`)).toEqual([]);
  });

  test.each([english, german])(
    "have values for all that their translations name, in $name",
    ({ messages }) => {
      for (const { id, context } of all) {
        const text = messages[id];
        if (typeof text === "string") expect(fillIn(text, context ?? {}), `${id}`).toBeDefined();
      }
    },
  );

  test.each([english, german])("have no translations that nothing asks for, in $name", ({ messages }) => {
    const known = new Set(all.map(({ id }) => id));
    expect(Object.keys(messages).filter((id) => !known.has(Number(id)))).toEqual([]);
  });

  test.each([english, german])(
    "are said by each translation that is a function, in $name",
    ({ messages }) => {
      for (const { id, context } of all) {
        const entry = messages[id];
        if (typeof entry === "function") expect(entry(context ?? {}), `${id}`).toMatch(/./);
      }
    },
  );
});
