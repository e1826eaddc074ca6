import { domainError } from "../errors.ts";
import { joinFieldPath, splitFieldPath } from "../field-path.ts";
import type { FieldViolation } from "../field-violation.ts";
import { isSameJson } from "../identity/merge-patch.ts";
import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import type { ButtonKind, InputKind, ListKind, Node } from "./form.ts";
import { isSameChoice, readFormValue, sizeProblem } from "./form-value.ts";

/** A value, and its path in the request that the form stands for. */
interface ReadValue {
  readonly path: readonly string[];
  readonly value: JsonValue;
}

/** The nodes of a field, one for each variant that has it. Their conditions decide which one counts. */
type Field = readonly InputNode[];
type InputNode = Node & { readonly element: InputKind };
type ListNode = Node & { readonly element: ListKind };
type ButtonNode = Node & { readonly element: ButtonKind };

/** The values that were sent for a list: the whole list, or values for single nodes by the index of their item. */
interface SentList {
  whole?: JsonValue;
  readonly items: Map<number, Map<string, JsonValue>>;
}

/** Reads the values that were filled into one form, and collects the violations. */
export class FormReader {
  readonly #pressed: string;
  /** The nodes that are sent with the step that was pressed. */
  readonly #nodes: readonly Node[];
  readonly #fields: ReadonlyMap<string, Field>;
  readonly #buttons: readonly ButtonNode[];
  /** The nodes that are filled in by passkeys. */
  readonly #passkeys: readonly Node[];
  /** The lists by name, one node for each variant that has the list. */
  readonly #lists: ReadonlyMap<string, readonly ListNode[]>;
  readonly #violations: FieldViolation[] = [];

  constructor(nodes: readonly Node[], pressed: string) {
    this.#pressed = pressed;
    this.#nodes = nodes.filter((node) => this.#isSent(node));
    this.#fields = byName(nodes.filter(isField));
    this.#buttons = nodes.filter(isButton).filter(({ element }) => element.value !== undefined);
    this.#passkeys = nodes.filter(({ element }) => element.kind === "passkey");
    this.#lists = byName(nodes.filter(isList));
  }

  /** The fields of the request by their names. Throws REQUEST_INVALID. */
  read(values: ReadonlyMap<string, JsonValue>): JsonObject {
    const lists = new Map<string, SentList>();
    const given = new Map<string, JsonValue>();
    for (const [name, value] of values) this.#sort(name, value, { given, lists });
    const read = [...given].flatMap(([name, value]) => this.#readField(name, value, given));
    for (const [name, sent] of lists) read.push(...this.#readList(name, sent, given));
    this.#refuseOverlaps(read);
    if (this.#violations.length > 0) {
      throw domainError("REQUEST_INVALID", {}, { violations: this.#violations });
    }
    return documentOf([...this.#leftVariants(read, given), ...read]);
  }

  /** Finds the field, list or button of a name, if the form has one. */
  #sort(
    name: string,
    value: JsonValue,
    into: { readonly given: Map<string, JsonValue>; readonly lists: Map<string, SentList> },
  ): void {
    const others = [...this.#buttons, ...this.#passkeys];
    const isField = this.#fields.has(name) || others.some((node) => node.name === name);
    const listName = this.#lists.has(name)
      ? name
      : [...this.#lists.keys()].find((each) => name.startsWith(`${each}.`));
    if (isField) into.given.set(name, value);
    else if (listName === undefined) this.#refuseUnknown(name);
    else {
      const sent: SentList = into.lists.get(listName) ?? { items: new Map() };
      into.lists.set(listName, sent);
      if (name === listName) sent.whole = value;
      else this.#sortItem(listName, name, value, sent);
    }
  }

  #sortItem(listName: string, name: string, value: JsonValue, { items }: SentList): void {
    const [, digits = ""] = /^(0|[1-9][0-9]{0,3})(?:\.|$)/.exec(name.slice(listName.length + 1)) ?? [];
    const index = Number(digits);
    const nodes = (this.#lists.get(listName) ?? []).flatMap((list) => itemNodes(list, index));
    const isThere = digits !== "" && nodes.some((node) => node.name === name && isField(node));
    if (isThere) items.set(index, (items.get(index) ?? new Map<string, JsonValue>()).set(name, value));
    else this.#refuseUnknown(name);
  }

  #readField(name: string, given: JsonValue, all: ReadonlyMap<string, JsonValue>): readonly ReadValue[] {
    const path = splitFieldPath(name);
    const passkey = this.#passkeys.find((node) => node.name === name);
    // What it is, its method finds out.
    if (passkey !== undefined) return this.#isSent(passkey) && given !== null ? [{ path, value: given }] : [];
    const variants = (this.#fields.get(name) ?? []).filter((node) => this.#isSent(node));
    const node = variants.find((each) => holds(each, this.#nodes, all));
    if (node === undefined) return variants.length > 0 ? [] : this.#readButton(name, path, given);
    const value = this.#readValue(name, node.element, given);
    if (value === undefined) return [];
    if (path[0] === "traits") {
      // Null for an empty field would create the objects around it.
      return value === null && isEmpty(node) ? [] : [{ path, value }];
    }
    if (value === null) return [];
    // The traits have rules and messages of their own.
    const problem = sizeProblem(node.element, value);
    if (problem !== undefined) this.#refuse(name, problem.reason, problem.description);
    return [{ path, value }];
  }

  /** Reads the value that says which of several buttons of one step was pressed. */
  #readButton(name: string, path: readonly string[], given: JsonValue): readonly ReadValue[] {
    const own = this.#buttons.filter((button) => button.name === name && this.#isSent(button));
    const values = own.flatMap(({ element }) =>
      isSameChoice(element.value, given) ? (element.value ?? []) : [],
    );
    const [value] = values;
    if (own.length > 0 && value === undefined) this.#refuse(name, "VALUE", "is not the value of a button");
    return value === undefined ? [] : [{ path, value }];
  }

  #readList(name: string, sent: SentList, all: ReadonlyMap<string, JsonValue>): readonly ReadValue[] {
    const variants = (this.#lists.get(name) ?? []).filter((node) => this.#isSent(node));
    const list = variants.find((each) => holds(each, this.#nodes, all));
    if (list === undefined) return [];
    const { items, whole } = sent;
    if (whole !== undefined && items.size > 0) {
      this.#refuse(name, "CONFLICT", "is given as a whole and by its items");
    }
    const value = whole === undefined ? this.#readItems(list, items) : this.#readWhole(list, whole);
    if (value === undefined) return [];
    return value === null && isEmpty(list) ? [] : [{ path: splitFieldPath(name), value }];
  }

  /** The list as it was drawn, with the values that were sent for its items; undefined if nothing changes. */
  #readItems(
    list: ListNode,
    sent: ReadonlyMap<number, ReadonlyMap<string, JsonValue>>,
  ): JsonValue[] | undefined {
    const { element } = list;
    let { length } = element.items;
    for (const [index, names] of [...sent].sort(([left], [right]) => left - right)) {
      if (index <= length) length = Math.max(length, index + 1);
      else
        for (const name of names.keys())
          this.#refuse(name, "UNKNOWN_FIELD", "is not the next item of the list");
    }
    let isTouched = element.unsaved;
    const value = Array.from({ length }, (_, index) => index).flatMap((index) => {
      const given = sent.get(index);
      const drawn = itemOf(list, index, new Map());
      if (given === undefined) return drawn ?? [];
      const item = this.#readItem(list, index, given);
      isTouched ||= !isSameJson(item ?? null, drawn ?? null);
      return item ?? [];
    });
    return isTouched ? value : undefined;
  }

  #readItem(list: ListNode, index: number, given: ReadonlyMap<string, JsonValue>): JsonValue | undefined {
    const nodes = itemNodes(list, index).filter(isField);
    const read = new Map<string, JsonValue>();
    for (const node of nodes) {
      const value = given.get(node.name);
      if (value === undefined || !holds(node, nodes, given)) continue;
      const typed = this.#readValue(node.name, node.element, value);
      // A value that comes back as it was drawn was not touched.
      const isChanged = typed !== undefined && !isSameJson(typed, node.element.value ?? null);
      if (isChanged) read.set(node.name, typed);
    }
    return itemOf(list, index, read);
  }

  /** A list as it was sent; null for none. */
  #readWhole(list: ListNode, whole: JsonValue): JsonValue | undefined {
    if (whole === null) return null;
    if (!Array.isArray(whole)) {
      this.#refuse(list.name, "TYPE", "must be a list");
      return undefined;
    }
    return whole.flatMap((item, index) => this.#readWholeItem(list, index, item) ?? []);
  }

  #readWholeItem(list: ListNode, index: number, item: JsonValue): JsonValue | undefined {
    const name = `${list.name}.${index}`;
    // Read-only nodes as well: they are part of the whole.
    const nodes = itemNodes(list, index)
      .filter(isInput)
      .filter((node) => isHarmless(node.name));
    // Without a template nothing can be added.
    if (nodes.length === 0) {
      this.#refuse(name, "UNKNOWN_FIELD", "is not the next item of the list");
      return undefined;
    }
    const isScalar = nodes.some((node) => node.name === name);
    if (!isScalar && !isObject(item)) {
      if (item !== null) this.#refuse(name, "TYPE", "must be an object");
      return undefined;
    }
    const leaves = new Map(isScalar ? [[name, item]] : leavesOf(name, item));
    const read = [...leaves].flatMap(([place, value]): ReadValue[] => {
      const variants = nodes.filter((each) => each.name === place);
      const node = variants.find((each) => holds(each, nodes, leaves)) ?? variants[0];
      if (node === undefined) this.#refuseUnknown(place);
      const typed = node && this.#readValue(place, node.element, value, true);
      const path = splitFieldPath(place).slice(splitFieldPath(name).length);
      return typed === undefined || typed === null ? [] : [{ path, value: typed }];
    });
    return isScalar ? read[0]?.value : documentOf(read);
  }

  /** A value in the type of its node; null for an empty field, undefined if the value is refused. */
  #readValue(name: string, input: InputKind, given: JsonValue, isWhole = false): JsonValue | undefined {
    const value = readFormValue(input, given, isWhole);
    if (value === undefined) this.#refuse(name, "TYPE", `is no value for a field of the type ${input.type}`);
    return value;
  }

  /** Empties the former variant, if another one was chosen. */
  #leftVariants(read: readonly ReadValue[], given: ReadonlyMap<string, JsonValue>): readonly ReadValue[] {
    const nobody = new Map<string, JsonValue>();
    return this.#nodes.flatMap((node) => {
      const { condition } = node;
      const wasDrawn = condition !== undefined && holds(node, this.#nodes, nobody);
      // Also if the node has no value: an empty object or list may be stored there.
      if (!wasDrawn || holds(node, this.#nodes, given) || condition.clears === undefined) return [];
      const path = splitFieldPath(condition.clears);
      const isGiven = read.some((each) => path.every((part, index) => each.path[index] === part));
      return isGiven ? [] : [{ path, value: null }];
    });
  }

  /** Security rule (SR-FLOW-10): no value is given twice, as a whole and by a part of it, because one of the two would silently win. */
  #refuseOverlaps(read: readonly ReadValue[]): void {
    const given = new Set(read.map(({ path }) => joinFieldPath(path)));
    for (const { path } of read) {
      const outer = path.slice(1).map((_part, end) => joinFieldPath(path.slice(0, end + 1)));
      if (outer.some((name) => given.has(name))) {
        this.#refuse(joinFieldPath(path), "CONFLICT", "lies within another field that is given");
      }
    }
  }

  #isSent({ step }: Node): boolean {
    return step === undefined || step === this.#pressed;
  }

  #refuseUnknown(name: string): void {
    this.#refuse(name, "UNKNOWN_FIELD", "is no field of the form that can be filled in");
  }

  #refuse(field: string, reason: FieldViolation["reason"], description: string): void {
    this.#violations.push({ field, reason, description });
  }
}

function byName<Kind extends Node>(nodes: readonly Kind[]): ReadonlyMap<string, readonly Kind[]> {
  const named = new Map<string, Kind[]>();
  for (const node of nodes) named.set(node.name, [...(named.get(node.name) ?? []), node]);
  return named;
}

/** The nodes of an item of a list, with whole names. An added item has the nodes of the template. */
function itemNodes({ name, element }: ListNode, index: number): readonly Node[] {
  const own = element.items[index];
  if (own !== undefined) return own;
  const prefix = `${name}.${index}`;
  return element.template.map((node) => ({
    ...node,
    name: prefix + node.name,
    condition: node.condition && { ...node.condition, name: prefix + node.condition.name },
  }));
}

/**
 * The value of an item: as it was drawn, with its changes. Undefined if the item was emptied, or an added one was not filled
 * in. A checkbox without a tick is not enough to make an item.
 */
function itemOf(
  list: ListNode,
  index: number,
  changed: ReadonlyMap<string, JsonValue>,
): JsonValue | undefined {
  const nodes = itemNodes(list, index).filter(isInput);
  const depth = splitFieldPath(list.name).length + 1;
  const values = nodes.flatMap((node): ReadValue[] => {
    const isLeft = !holds(node, nodes, changed) && (changed.has(node.name) || holds(node, nodes, new Map()));
    const value = changed.has(node.name) ? changed.get(node.name) : node.element.value;
    const isNone = isLeft || value === undefined || value === null;
    return isNone ? [] : [{ path: splitFieldPath(node.name).slice(depth), value }];
  });
  const isUntouched = changed.size === 0 && list.element.items[index] !== undefined;
  if (!isUntouched && values.every(({ value }) => value === false)) return undefined;
  const [only] = values;
  return only?.path.length === 0 ? only.value : documentOf(values);
}

/**
 * Whether a node belongs to the form as it was filled in: it has no condition, or the node that it names has one of its values.
 */
function holds({ condition }: Node, nodes: readonly Node[], given: ReadonlyMap<string, JsonValue>): boolean {
  if (condition === undefined) return true;
  const chooser = nodes.find(({ name }) => name === condition.name);
  if (chooser === undefined || !isInput(chooser)) return true;
  const sent = given.get(chooser.name);
  const value = sent === undefined ? (chooser.element.value ?? null) : readFormValue(chooser.element, sent);
  return condition.values.some((each) => isSameJson(each, value ?? null));
}

/** The values in an object that are not objects themselves, by their names. */
function leavesOf(name: string, value: JsonValue): readonly (readonly [string, JsonValue])[] {
  if (!isObject(value)) return [[name, value]];
  return Object.entries(value).flatMap(([member, inner]) =>
    leavesOf(`${name}.${joinFieldPath([member])}`, inner),
  );
}

/** Puts values at their paths in a JSON object. */
function documentOf(read: readonly ReadValue[]): JsonObject {
  const members = new Map<string, ReadValue[]>();
  for (const {
    path: [first = "", ...rest],
    value,
  } of read) {
    const inner = members.get(first) ?? [];
    inner.push({ path: rest, value });
    members.set(first, inner);
  }
  // Defined, not assigned: no setter of a prototype can run.
  return Object.fromEntries(
    [...members].map(([name, inner]) => {
      const leaf = inner.find(({ path }) => path.length === 0);
      return [name, leaf === undefined ? documentOf(inner) : leaf.value];
    }),
  );
}

function isEmpty({ element }: Node): boolean {
  if (element.kind === "list") return element.items.length === 0 && !element.unsaved;
  return element.kind !== "input" || ((element.value ?? undefined) === undefined && element.unsaved !== true);
}

function isInput(node: Node): node is InputNode {
  return node.element.kind === "input";
}

/** Security rule (SR-FLOW-10): a name with a meaning in JavaScript is no field, even if a schema has a trait of this name. */
function isField(node: Node): node is InputNode {
  return isInput(node) && node.element.readOnly !== true && isHarmless(node.name);
}

function isList(node: Node): node is ListNode {
  return node.element.kind === "list" && !node.element.readOnly && isHarmless(node.name);
}

function isButton(node: Node): node is ButtonNode {
  return node.element.kind === "button" && isHarmless(node.name);
}

function isHarmless(name: string): boolean {
  return !splitFieldPath(name).some((part) => forbiddenParts.has(part));
}

const forbiddenParts = new Set(["__proto__", "constructor", "prototype"]);
