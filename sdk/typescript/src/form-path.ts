// SPDX-License-Identifier: Apache-2.0
import type { JsonValue } from "@bufbuild/protobuf";

/** The parts of a path; the first one names a field of the request. */
export type NodePath = readonly [string, ...string[]];

/** The most parts of a name. The server takes traits of 32 levels; what is deeper is no field of a form. */
const maxParts = 64;

/**
 * The parts of a node's name, unescaped; undefined if it is not one that a form can have. A part may be empty or a number:
 * whether a number is the index of a list says the node, not its name.
 */
export function parseNodeName(name: string): NodePath | undefined {
  const parts: [string, ...string[]] = [""];
  for (let at = 0; at < name.length; at++) {
    const character = name.charAt(at);
    if (character === ".") {
      if (parts.length === maxParts) return undefined;
      parts.push("");
    } else {
      // A dot or a backslash within a part has a backslash before it.
      if (character === "\\") at += 1;
      parts[parts.length - 1] += name.charAt(at);
    }
  }
  // Security: `__proto__` is never made a key. The tree below would survive it; code that copies it might not.
  return parts[0] !== "" && !parts.includes("__proto__") ? parts : undefined;
}

/** A JSON object in the making, from values and the paths to them. */
export class JsonTree {
  readonly #children = new Map<string, JsonTree | { readonly leaf: JsonValue }>();

  /** Puts a value at a path. Of two values for one place the later one counts. */
  set([part, ...rest]: NodePath, value: JsonValue): void {
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

  /** The tree as an object. */
  toObject(): { [key: string]: JsonValue } {
    // fromEntries defines properties, it does not assign them: no setter of a prototype can run.
    return Object.fromEntries(
      [...this.#children].map(([part, child]) => [
        part,
        child instanceof JsonTree ? child.toObject() : child.leaf,
      ]),
    );
  }
}
