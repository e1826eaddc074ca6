import type { DescField, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { type ConfigKey, choicesOf, configKeys, defaultOf, valueKindOf } from "./keys.ts";
import { Layers } from "./layers.ts";
import { readText } from "./read-value.ts";

const leaves = configKeys.filter(({ kind }) => kind === "leaf");

describe("variables", () => {
  test("each key has a variable of its own", () => {
    const names = configKeys.map(({ variable }) => variable);
    expect(new Set(names).size).toBe(names.length);
  });

  test("there is no key that this table leaves out", () => {
    expect(leaves.length).toBeGreaterThan(40);
    expect(leaves.map(({ path }) => path)).toContain("server.public.port");
  });

  test.each(leaves.map((key) => [key.path, key] as const))("%s can be set by its variable", (path, key) => {
    const { text, json } = sampleOf(key);
    const layers = new Layers();
    layers.addDefaults("/base");
    const before = valueAt(layers.toJson(), path);
    expect(before, "the sample differs from the default").not.toEqual(json);
    layers.addVariables({ [key.variable]: text }, "/base");
    layers.checkVariables({ [key.variable]: text });
    expect(layers.problems).toEqual([]);
    expect(valueAt(layers.toJson(), path)).toEqual(json);
    expect(layers.sources.get(path)).toEqual({ kind: "variable", name: key.variable });
  });

  test.each(leaves.map((key) => [key.path, key] as const))("%s can be set in the file", (path, key) => {
    const { text, json } = sampleOf(key);
    const names = path.split(".");
    const isText = ["text", "path", "secret"].includes(valueKindOf(key.field)) && !text.startsWith("[");
    const value = isText ? JSON.stringify(text) : text;
    const yaml = names.map((name, depth) => `${"  ".repeat(depth)}${name}:`).join("\n");
    const layers = new Layers();
    layers.addFile(
      `${yaml} ${key.field.fieldKind === "list" && isText ? `[${value}]` : value}`,
      "file",
      "/base",
    );
    expect(layers.problems).toEqual([]);
    const expected = key.field.fieldKind === "list" && isText ? singleList(json) : json;
    expect(valueAt(layers.toJson(), path)).toEqual(expected);
    expect(layers.sources.get(path)).toEqual({ kind: "file", file: "file", line: names.length });
  });

  test("a list is separated by commas, or written as YAML where a value has one", () => {
    const origins = (text: string) => {
      const layers = new Layers();
      layers.addVariables({ OSTIARY_TENANT_DEFAULTS_ALLOWED_RETURN_URLS: text }, "/");
      return valueAt(layers.toJson(), "tenant_defaults.allowed_return_urls");
    };
    expect(origins("a, b,")).toEqual(["a", "b"]);
    expect(origins('["a,b", c]')).toEqual(["a,b", "c"]);
  });

  test("secrets may refer to elsewhere also from a variable", () => {
    const layers = new Layers();
    layers.addVariables({ OSTIARY_SECRETS_SEALING: '[{env: A}, {file: b}, "c"]' }, "/base");
    const expected = [{ env: "A" }, { file: "/base/b" }, { literal: "c" }];
    expect(valueAt(layers.toJson(), "secrets.sealing")).toEqual(expected);
  });

  /** @see distribution/distribution#3636: a generated secret was split at its comma, and both halves were used. */
  test.each(
    leaves.filter(({ field }) => valueKindOf(field) === "secret").map((key) => [key.path, key] as const),
  )("security rule (SR-SECRET-2): a secret of %s is never split or misread", (path, key) => {
    const read = (text: string) => {
      const layers = new Layers();
      layers.addVariables({ [key.variable]: text }, "/base");
      return {
        value: valueAt(layers.toJson(), path),
        problems: layers.problems.map(({ message }) => message),
      };
    };
    const isList = key.field.fieldKind === "list";
    const whole = (json: JsonValue) => ({ value: isList ? [json] : json, problems: [] });
    const digits = "0123456789".repeat(5);
    for (const text of [
      ">Z4&t2 #CyKu: np}qy2{",
      digits,
      " blanks ",
      "{}",
      "{a: b}",
      "a]",
      "true",
      "null",
      "~",
      '"a',
    ]) {
      expect(read(text)).toEqual(whole({ literal: text }));
    }
    expect(read("{file: some/where}")).toEqual(whole({ file: "/base/some/where" }));
    expect(read('{"env": "NAME"}')).toEqual(whole({ env: "NAME" }));
    for (const text of ["{file: a, env: b}", "{file: [}", "{file: a"])
      expect(read(text).problems).not.toEqual([]);
    const hostile = [
      "hunter2,hunter2",
      ",hunter2",
      "hunter2,",
      "[hunter2",
      "[hunter2]",
      "[hunter2, hunter2]",
      "[a]hunter2",
    ];
    for (const text of hostile) {
      if (!isList) expect(read(text)).toEqual(whole({ literal: text }));
      else {
        expect(read(text).problems.join()).toContain('a list in quotes: ["…", "…"]');
        expect(read(text).problems.join()).not.toContain("hunter2");
        expect(read(JSON.stringify([text, digits]))).toEqual({
          value: [{ literal: text }, { literal: digits }],
          problems: [],
        });
      }
    }
  });

  test("a list that replaces another one leaves nothing of its sources", () => {
    const layers = new Layers();
    layers.addFile("server: {trusted_proxies: [10.0.0.0/8, 10.1.0.0/16]}", "file", "/");
    expect(layers.sources.has("server.trusted_proxies[1]")).toBe(true);
    layers.addVariables({ OSTIARY_SERVER_TRUSTED_PROXIES: "127.0.0.1" }, "/");
    const source = { kind: "variable", name: "OSTIARY_SERVER_TRUSTED_PROXIES" };
    expect([...layers.sources]).toEqual([["server.trusted_proxies", source]]);
  });
});

/** A text for the key's variable that is not its default, and what it must come to. */
function sampleOf({ path, field }: ConfigKey): { text: string; json: JsonValue } {
  const kind = valueKindOf(field);
  if (kind === "message") {
    const value = { id: "a", name: "a", package_name: "a", host: "a" };
    const [name = ""] = field.message?.fields.map((each) => each.name).filter((each) => each in value) ?? [];
    const item = { [name]: "a" };
    const defaults = Object.fromEntries(field.message?.fields.flatMap(defaultEntry) ?? []);
    return { text: JSON.stringify([item]), json: [{ ...defaults, ...item }] };
  }
  const isList = field.fieldKind === "list";
  switch (kind) {
    case "boolean":
      return defaultOf(field) === "true" ? { text: "false", json: false } : { text: "true", json: true };
    case "number":
      return isList ? { text: "[77, 78]", json: [77, 78] } : { text: "77", json: 77 };
    case "duration":
      return { text: "1h0.25s", json: "3600.250s" };
    case "choice": {
      const [choice] = choicesOf(field).filter(({ word }) => word !== defaultOf(field));
      return { text: choice?.word ?? "", json: choice?.name ?? "" };
    }
    case "secret":
      return isList
        ? { text: '["one,two", "[three"]', json: [{ literal: "one,two" }, { literal: "[three" }] }
        : { text: "one,two", json: { literal: "one,two" } };
    case "path":
      return { text: "some/where", json: "/base/some/where" };
    case "text":
      return isList ? { text: "one,two", json: ["one", "two"] } : { text: "one,two", json: "one,two" };
    default:
      throw new Error(`no sample for ${path}`);
  }
}

/** A key of an item that has a default, in the JSON form of its field. */
function defaultEntry(field: DescField): [string, JsonValue][] {
  const text = defaultOf(field);
  const result = text === undefined ? undefined : readText(text, field, "/base");
  return result?.kind === "value" ? [[field.name, result.json]] : [];
}

/** What `[“one,two”]` comes to, where the sample of a variable is two values. */
function singleList(json: JsonValue): JsonValue {
  const [first] = Array.isArray(json) ? json : [];
  return [typeof first === "string" ? "one,two" : { literal: "one,two" }];
}

function valueAt(json: JsonObject, path: string): JsonValue | undefined {
  let value: JsonValue | undefined = json;
  for (const name of path.split(".")) {
    value = typeof value === "object" && value !== null && !Array.isArray(value) ? value[name] : undefined;
  }
  return value;
}
