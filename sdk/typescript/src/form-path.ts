// SPDX-License-Identifier: Apache-2.0
import type { JsonValue } from "@bufbuild/protobuf";

/** The parts of a node's name, unescaped; undefined if it is not one that a form can have. */
export function parseNodeName(name: string): readonly [string, ...string[]] | undefined {
  const parts: [string, ...string[]] = [""];
  for (let at = 0; at < name.length; at++) {
    const character = name.charAt(at);
    if (character === ".") {
      parts.push("");
    } else {
      // A dot or a backslash within a part has a backslash before it.
      if (character === "\\") at += 1;
      parts[parts.length - 1] += name.charAt(at);
    }
  }
  // Security: `__proto__` is never made a key. The tree below would survive it; code that copies it might not.
  return parts.every((part) => part !== "" && part !== "__proto__") ? parts : undefined;
}

/** A JSON object in the making, from values and the paths to them. */
export class JsonTree {
  readonly #children = new Map<string, JsonTree | { readonly leaf: JsonValue }>();

  /** Puts a value at a path. Of two values for one place the later one counts. */
  set([part, ...rest]: readonly [string, ...string[]], value: JsonValue): void {
    const [next, ...others] = rest;
    if (next === undefined) {
      this.#children.set(part, { leaf: value });
      return;
    }
    const existing = this.#children.get(part);
    const child = existing instanceof JsonTree ? existing : new JsonTree();
    this.#children.set(part, child);
    child.set([next, ...others], value);
  }

  /** Makes sure that there is an object at a name, even an empty one. */
  ensure(part: string): void {
    if (!(this.#children.get(part) instanceof JsonTree)) this.#children.set(part, new JsonTree());
  }

  /** The tree as an object; below it, a tree whose parts are all numbers is a list. */
  toObject(): { [key: string]: JsonValue } {
    // fromEntries defines properties, it does not assign them: no setter of a prototype can run.
    return Object.fromEntries([...this.#children].map(([part, child]) => [part, jsonOf(child)]));
  }

  /** The tree as an object or a list. */
  toValue(): JsonValue {
    const parts = [...this.#children.keys()];
    if (parts.length === 0 || !parts.every((part) => /^\d+$/.test(part))) return this.toObject();
    // Elements that were left empty are left out, so that a list has no holes, however large its indexes.
    return [...this.#children]
      .sort(([left], [right]) => Number(left) - Number(right))
      .map(([, child]) => jsonOf(child));
  }
}

function jsonOf(child: JsonTree | { readonly leaf: JsonValue }): JsonValue {
  return child instanceof JsonTree ? child.toValue() : child.leaf;
}
