import { domainError, type FieldViolation } from "../errors.ts";
import { isSameJson } from "../identity/merge-patch.ts";
import { isObject } from "../identity/schema-document.ts";
import { joinTraitPath, splitTraitPath } from "../identity/trait-path.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import type { SubmittedStep } from "../method/method.ts";
import type { FlowSubmission } from "./flow-keeper.ts";
import type { InputKind, Node } from "./form.ts";
import { readFormValue, sizeProblem } from "./form-value.ts";

/** A form as somebody filled it in, whatever kind of flow it is of: values by the names of its nodes. */
export interface FilledForm extends FlowSubmission {
  /** The step of the button that was pressed. */
  readonly pressed: string;
  readonly values: ReadonlyMap<string, JsonValue>;
}

/** What a filled-in form says: the fields that the typed submits of all kinds have together. */
export interface FormSubmission extends FlowSubmission {
  readonly step: SubmittedStep;
  readonly identifier: string;
  readonly address: string;
  readonly addressId: string;
  /** A merge patch. */
  readonly traits: JsonObject;
}

/**
 * What was submitted: as it is, or read from a form.
 *
 * Security rule: only to be asked for once the caller has shown that the flow is theirs. What is wrong with a form tells what is
 * in it, and a stranger learns nothing of that.
 */
export function submissionOf<Submission extends FlowSubmission>(
  submitted: Submission | FilledForm,
  nodes: () => readonly Node[],
): Submission | FormSubmission {
  return isFilledForm(submitted) ? readForm(submitted, nodes()) : submitted;
}

/** Whether it is a form, which nobody has judged yet. */
export function isFilledForm(submitted: object): submitted is FilledForm {
  return "pressed" in submitted;
}

/** The name of the step that was submitted. */
export function stepNameOf(submitted: { readonly step: SubmittedStep } | FilledForm): string {
  return isFilledForm(submitted) ? submitted.pressed : submitted.step.name;
}

/** What was typed to sign in with, in a form that nobody has judged yet; empty if that is no text. */
export function typedIdentifierOf({ values }: FilledForm): string {
  const typed = values.get("identifier");
  return typeof typed === "string" ? typed : "";
}

/**
 * Reads a form by the nodes that it has now. A value is taken only for a node that is there, or for the next items of a list;
 * those of a step that was not pressed are left out. Throws STEP_NOT_OFFERED, REQUEST_INVALID with a violation at each name
 * that is wrong.
 */
export function readForm(filled: FilledForm, nodes: readonly Node[]): FormSubmission {
  const { flowId, csrfToken, pressed, values } = filled;
  const steps = new Set(nodes.flatMap(({ element }) => (element.kind === "button" ? [element.step] : [])));
  if (!steps.has(pressed)) throw domainError("STEP_NOT_OFFERED", { step: pressed });
  const reader = new FormReader(nodes, ([first = ""]) => first === pressed || !steps.has(first));
  const document = documentOf(reader.read(values));
  const fields = memberOf(document, pressed);
  const traits = memberOf(document, "traits");
  return {
    flowId,
    csrfToken,
    step: { name: pressed, fields: isObject(fields) ? fields : {} },
    identifier: textOf(memberOf(document, "identifier")),
    address: textOf(memberOf(document, "address")),
    addressId: textOf(memberOf(document, "addressId")),
    traits: isObject(traits) ? traits : {},
  };
}

/** A value, and where it belongs in the request that the form stands for. */
interface ReadValue {
  readonly path: readonly string[];
  readonly value: JsonValue;
}

/** A list of which a form draws every item. */
interface DrawnList {
  readonly path: readonly string[];
  readonly items: InputKind[];
}

/** What was sent of a list. */
interface SentList {
  whole?: JsonValue;
  readonly items: Map<number, JsonValue>;
}

/** Reads the values of one form, and notes what is wrong with them. */
class FormReader {
  readonly #isSent: (path: readonly string[]) => boolean;
  readonly #fields = new Map<string, { readonly path: readonly string[]; readonly input: InputKind }>();
  /** By the name of the whole list. */
  readonly #lists = new Map<string, DrawnList>();
  readonly #violations: FieldViolation[] = [];

  /** `isSent`: whether what is filled in at a path belongs to the step that was pressed. */
  constructor(nodes: readonly Node[], isSent: (path: readonly string[]) => boolean) {
    this.#isSent = isSent;
    for (const { name, element } of nodes) {
      if (element.kind !== "input") continue;
      const path = splitTraitPath(name);
      // Security rule: a name that JavaScript gives a meaning to is no field, whatever a schema calls its traits.
      if (path.some((part) => forbiddenParts.has(part))) continue;
      if (element.listItem) this.#addItem(path, element);
      else this.#fields.set(name, { path, input: element });
    }
  }

  /** Throws REQUEST_INVALID. */
  read(values: ReadonlyMap<string, JsonValue>): readonly ReadValue[] {
    const lists = new Map<string, SentList>();
    const read = [...values].flatMap(([name, given]) => this.#readName(name, given, lists));
    for (const [name, sent] of lists) read.push(...this.#readList(name, sent));
    this.#refuseOverlaps(read);
    if (this.#violations.length > 0) {
      throw domainError("REQUEST_INVALID", {}, { violations: this.#violations });
    }
    return read;
  }

  #addItem(path: readonly string[], input: InputKind): void {
    const listPath = path.slice(0, -1);
    const name = joinTraitPath(listPath);
    const list = this.#lists.get(name) ?? { path: listPath, items: [] };
    list.items[Number(path.at(-1))] = input;
    this.#lists.set(name, list);
  }

  /** Of a list nothing is read before all of it was looked at; what was sent of it is put into `lists`. */
  #readName(name: string, given: JsonValue, lists: Map<string, SentList>): readonly ReadValue[] {
    const field = this.#fields.get(name);
    if (field !== undefined) return this.#readField(name, field, given);
    const [, itemOf = "", index = ""] = /^(.*)\.(0|[1-9][0-9]{0,5})$/s.exec(name) ?? [];
    const listName = this.#lists.has(name) ? name : itemOf;
    if (!this.#lists.has(listName)) {
      this.#refuse(name, "UNKNOWN_FIELD", "is no field of the form");
      return [];
    }
    const sent: SentList = lists.get(listName) ?? { items: new Map() };
    if (listName === name) sent.whole = given;
    else sent.items.set(Number(index), given);
    lists.set(listName, sent);
    return [];
  }

  #readField(
    name: string,
    { path, input }: { readonly path: readonly string[]; readonly input: InputKind },
    given: JsonValue,
  ): readonly ReadValue[] {
    if (!this.#isSent(path)) return [];
    const value = this.#readValue(name, input, given);
    if (value === undefined) return [];
    if (path[0] === "traits") {
      // To empty what is empty would make the objects around it.
      return value === null && isEmptyInput(input) ? [] : [{ path, value }];
    }
    if (value === null) return [];
    // The traits have rules and messages of their own.
    const problem = sizeProblem(input, value);
    if (problem !== undefined) this.#refuse(name, problem.reason, problem.description);
    return [{ path, value }];
  }

  #readList(name: string, { whole, items }: SentList): readonly ReadValue[] {
    const list = this.#lists.get(name);
    if (list === undefined || !this.#isSent(list.path)) return [];
    if (whole === undefined) return this.#readItems(name, list, items);
    if (items.size > 0) this.#refuse(name, "CONFLICT", "is given as a whole and by its items");
    if (whole === null) return list.items.every(isEmptyInput) ? [] : [{ path: list.path, value: null }];
    if (!Array.isArray(whole)) {
      this.#refuse(name, "TYPE", "must be a list");
      return [];
    }
    const value = whole.flatMap((given, index) => this.#readItem(name, list, index, given));
    return [{ path: list.path, value }];
  }

  /** The list as it was drawn, with the items that were sent; nothing where that changes nothing. */
  #readItems(name: string, list: DrawnList, sent: ReadonlyMap<number, JsonValue>): readonly ReadValue[] {
    const indexes = [...sent.keys()].sort((left, right) => left - right);
    let { length } = list.items;
    for (const index of indexes) {
      if (index > length)
        this.#refuse(`${name}.${index}`, "UNKNOWN_FIELD", "is not the next item of the list");
      else length = Math.max(length, index + 1);
    }
    const value = Array.from({ length }, (_, index) => index).flatMap((index) =>
      this.#readItem(
        name,
        list,
        index,
        sent.get(index) ?? (sent.has(index) ? null : list.items[index]?.value),
      ),
    );
    const drawn = list.items.flatMap((item) => item.value ?? []);
    const isUnchanged = isSameJson(value, drawn) && !list.items.some(({ unsaved }) => unsaved);
    return isUnchanged ? [] : [{ path: list.path, value }];
  }

  /** An item, or none where it is empty. */
  #readItem(
    name: string,
    { items }: DrawnList,
    index: number,
    given: JsonValue | undefined,
  ): readonly JsonValue[] {
    // One that was added is as the last one that the form drew.
    const input = items[index] ?? items.at(-1);
    if (input === undefined || given === undefined) return [];
    const value = this.#readValue(`${name}.${index}`, input, given);
    return value === undefined || value === null ? [] : [value];
  }

  /** A value with the type of its node, null for none; undefined if it is refused. */
  #readValue(name: string, input: InputKind, given: JsonValue): JsonValue | undefined {
    const value = readFormValue(input, given);
    if (value === undefined) this.#refuse(name, "TYPE", `is no value for a field of the type ${input.type}`);
    return value;
  }

  /** Security rule: no place is given twice, as a whole and by something within it: one of them would count unseen. */
  #refuseOverlaps(read: readonly ReadValue[]): void {
    const given = new Set(read.map(({ path }) => joinTraitPath(path)));
    for (const { path } of read) {
      const outer = path.slice(1).map((_part, end) => joinTraitPath(path.slice(0, end + 1)));
      if (outer.some((name) => given.has(name))) {
        this.#refuse(joinTraitPath(path), "CONFLICT", "lies within another field that is given");
      }
    }
  }

  #refuse(field: string, reason: string, description: string): void {
    this.#violations.push({ field, reason, description });
  }
}

const forbiddenParts = new Set(["__proto__", "constructor", "prototype"]);

function isEmptyInput({ value, unsaved }: InputKind): boolean {
  return value === undefined && unsaved !== true;
}

/** A JSON object of values at their places. */
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

function memberOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
