import type { SchemaLink } from "../identity/drawing.ts";
import { isSameJson } from "../identity/merge-patch.ts";
import { listOf } from "../identity/schema-document.ts";
import type { TraitCondition, TraitField, TraitGroup, TraitList } from "../identity/trait-fields.ts";
import { type JsonObject, type JsonValue, valueAt } from "../json.ts";
import * as traitTexts from "../user-message/trait-messages.ts";
import * as texts from "../user-message/user-messages.ts";
import {
  type InputChoice,
  type InputKind,
  type InputType,
  type ListKind,
  type Node,
  type NodeCondition,
  type NodeGroup,
  type NodeLink,
  nodeName,
} from "./form.ts";

/** How traits are drawn. */
export interface TraitFormOptions {
  /** The traits that the patch will be merged with; values that differ from them are sent again. Default: the traits drawn. */
  readonly saved?: JsonObject | undefined;
  /** Where those hold what their owner is not shown again; `saved` is without it. */
  readonly hidden?: readonly (readonly string[])[];
  /** Whether nothing was saved yet. Then fields without a value have the default of the schema. */
  readonly isNew?: boolean;
  /** The step that sends them. Undefined: every step. */
  readonly step?: string | undefined;
}

/**
 * One node for each trait that a person can fill in, with its present value, and one for each read-only trait that has a value.
 * Rule: a list is drawn with all its items, each of them whole, or else it is shown read-only, because a list is replaced
 * whole.
 */
export function traitNodes(
  fields: readonly (TraitField | TraitList)[],
  traits: JsonObject,
  options: TraitFormOptions = {},
): readonly Node[] {
  let room = mostItemNodes;
  return fields.flatMap((field) => {
    // A trait that people cannot change is shown as it is saved, also if they sent another value.
    const shown = field.readOnly ? (options.saved ?? traits) : traits;
    const value = valueAt(shown, field.path);
    if (field.readOnly && (value === undefined || value === null)) return [];
    const drawn =
      field.kind === "list"
        ? listNode(field, value, shown, options)
        : scalarNode(field, value, options, shown);
    if (drawn === undefined) return [];
    const size = drawn.element.kind === "list" ? drawn.element.items.flat().length : 0;
    if (size > room) return [];
    room -= size;
    return [{ ...drawn, step: options.step }];
  });
}

/** The most nodes of items of lists that one form has; a list that does not fit is not drawn. */
const mostItemNodes = 200;

function scalarNode(
  field: TraitField,
  value: JsonValue | undefined,
  { saved, hidden = [], isNew = false }: TraitFormOptions,
  traits: JsonObject,
): Node {
  const name = nodeName("traits", ...field.path);
  const isChanged =
    saved !== undefined && saved !== traits && !isSameJson(value ?? null, valueAt(saved, field.path) ?? null);
  const isProposed =
    isNew && value === undefined && field.default !== undefined && field.condition === undefined;
  // What is there and not shown need not be typed again.
  const required = field.required && !isHidden(hidden, field.path);
  return traitNode({ ...field, required }, name, name, {
    value: isProposed ? field.default : value,
    unsaved: isChanged || isProposed,
    condition: conditionOf(field.condition, "traits", { traits: saved ?? traits, hidden }),
    groups: groupsOf(field.groups, "traits", "traits"),
  });
}

/** A list with its items; undefined if the value is something other than a list. */
function listNode(
  list: TraitList,
  value: JsonValue | undefined,
  traits: JsonObject,
  { saved, hidden = [], isNew = false }: TraitFormOptions,
): Node | undefined {
  if (hidden.some((path) => isSameJson([...path], [...list.path]))) return undefined;
  if (value !== undefined && value !== null && !Array.isArray(value)) return undefined;
  const name = nodeName("traits", ...list.path);
  const before = saved === undefined || saved === traits ? value : valueAt(saved, list.path);
  // It is replaced whole, which would take with it what is not shown.
  const isPartlyHidden = isHidden(hidden, list.path);
  const proposed = isNew && list.condition === undefined && !list.readOnly ? (list.default ?? []) : [];
  const items = itemsShown(list, isPartlyHidden ? listOf(before) : (value ?? proposed), before);
  const readOnly = list.readOnly || isPartlyHidden || !items.every((item) => isDrawnWhole(list.item, item));
  const isNeeded = (index: number) => list.required && index < list.minItems;
  const element: ListKind = {
    kind: "list",
    template: list.canAdd && !readOnly ? addedFields(list).map((field) => itemNode(list, field, "")) : [],
    items: items.map((item, index) =>
      list.item.map((field) => {
        const member = field.path.length === 0 ? { required: isNeeded(index) } : {};
        const drawn = { ...field, ...member, readOnly: readOnly || field.readOnly };
        return itemNode(list, drawn, `${name}.${index}`, memberOf(item, field.path));
      }),
    ),
    minItems: list.required ? list.minItems : 0,
    maxItems: list.maxItems,
    choices: boxesOf(list, items),
    readOnly,
    unsaved: !isSameJson(value === undefined && items.length === 0 ? null : [...items], before ?? null),
  };
  return {
    name,
    label: texts.titleLabel(list.title, name),
    help: list.description && texts.traitHelp(list.description, name),
    messages: [],
    ui: list.ui,
    condition: conditionOf(list.condition, "traits", { traits: saved ?? traits, hidden }),
    groups: groupsOf(list.groups, "traits", "traits"),
    link: linkOf(list.link, name),
    element,
  };
}

/** The boxes of a list of choices; none for a list of something else, or one that has an item twice. */
function boxesOf(list: TraitList, items: readonly JsonValue[]): readonly InputChoice[] {
  const [only, ...more] = list.item;
  const isChosen = only?.path.length === 0 && more.length === 0 && only.choices.length > 0;
  // The empty text says that boxes were drawn, so it is no choice.
  if (!isChosen || only.choices.some(({ value }) => value === "")) return [];
  if (new Set(items).size < items.length) return [];
  const known = nodeName("traits", ...list.path);
  // Also what is no choice any more has a box, so that nobody gives it up by saving something else.
  return withFormer(only.choices, items.filter(isScalar)).map((choice) => choiceOf(choice, known));
}

function isScalar(value: JsonValue): boolean {
  return typeof value !== "object";
}

/**
 * The items to show. If a read-only member differs from the saved one, the whole list is shown as it is saved, because items
 * are told apart by their index.
 */
function itemsShown(
  list: TraitList,
  items: readonly JsonValue[],
  saved: JsonValue | undefined,
): readonly JsonValue[] {
  const before = listOf(saved);
  const indexes = [...Array(Math.max(items.length, before.length)).keys()];
  const isKept = list.item
    .filter((field) => field.readOnly)
    .every(({ path }) =>
      indexes.every((index) =>
        isSameJson(memberOf(items[index], path) ?? null, memberOf(before[index], path) ?? null),
      ),
    );
  return isKept ? items : before;
}

/** The fields of an added item: without those that only an operator sets, and those that depend on them. */
function addedFields({ item }: TraitList): readonly TraitField[] {
  const isOwn = (path: readonly string[]) =>
    !item.some((field) => field.readOnly && nodeName(...field.path) === nodeName(...path));
  return item.filter(
    ({ path, condition }) => isOwn(path) && (condition === undefined || isOwn(condition.path)),
  );
}

/** The node of an item or of a member of it. `item` is the item's name; empty in the template. */
function itemNode(list: TraitList, field: TraitField, item: string, value?: JsonValue): Node {
  const known = nodeName("traits", ...list.path, ...field.path);
  const condition = conditionOf(field.condition, item);
  const groups = groupsOf(field.groups, item, nodeName("traits", ...list.path));
  return traitNode(field, item + nameWithin(field.path), known, { value, unsaved: false, condition, groups });
}

/** Whether what is at a path is there and not shown, or something within it. */
function isHidden(hidden: readonly (readonly string[])[], path: readonly string[]): boolean {
  return hidden.some((place) => path.every((part, index) => index >= place.length || part === place[index]));
}

/** The part of a name that follows the name of the object or item around it; empty for the item itself. */
function nameWithin(path: readonly string[]): string {
  return path.length === 0 ? "" : `.${nodeName(...path)}`;
}

/** Whether the fields show everything that an item holds. */
function isDrawnWhole(fields: readonly TraitField[], item: JsonValue): boolean {
  const drawn = new Set(fields.map(({ path }) => JSON.stringify(path)));
  const isWhole = (value: JsonValue, path: readonly string[]): boolean => {
    if (typeof value !== "object") return drawn.has(JSON.stringify(path));
    if (value === null || Array.isArray(value)) return false;
    const members = Object.entries(value);
    // An object without members would be gone once the list is sent.
    if (members.length === 0) return path.length === 0 && !drawn.has("[]");
    return members.every(([name, inner]) => isWhole(inner, [...path, name]));
  };
  return isWhole(item, []);
}

function memberOf(item: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  if (path.length === 0) return item;
  return typeof item === "object" && item !== null && !Array.isArray(item) ? valueAt(item, path) : undefined;
}

/** The condition of a trait. It has `clears` only if its variant is the one that is saved. */
function conditionOf(
  condition: TraitCondition | undefined,
  within: string,
  saved?: { readonly traits: JsonObject; readonly hidden: readonly (readonly string[])[] },
): NodeCondition | undefined {
  if (condition === undefined) return undefined;
  const { path, values, clears } = condition;
  const chosen = saved && valueAt(saved.traits, path);
  const isSaved = chosen !== undefined && values.includes(chosen) && saved !== undefined;
  const isThere = isSaved && (valueAt(saved.traits, clears) !== undefined || isHidden(saved.hidden, clears));
  return {
    name: within + nameWithin(path),
    values,
    clears: isThere ? within + nameWithin(clears) : undefined,
  };
}

/** The groups of a trait. `within`: the name of what their paths are relative to; `known`: the same without indices. */
function groupsOf(groups: readonly TraitGroup[], within: string, known: string): readonly NodeGroup[] {
  return groups.map(({ path, title, description }) => {
    const name = known + nameWithin(path);
    return {
      name: within + nameWithin(path),
      label: texts.titleLabel(title, name),
      help: description && texts.traitHelp(description, name),
    };
  });
}

function linkOf(link: SchemaLink | undefined, known: string): NodeLink | undefined {
  return link && { url: link.url, urls: link.urls, label: traitTexts.linkLabel(link.title, known) };
}

/** The choices, and values that are none any more. */
function withFormer(choices: TraitField["choices"], values: readonly JsonValue[]): TraitField["choices"] {
  const former = values.filter((value) => !choices.some((choice) => choice.value === value));
  return [...choices, ...former.map((value) => ({ value, title: undefined }))];
}

function choiceOf({ value, title }: TraitField["choices"][number], known: string): InputChoice {
  const label = texts.choiceLabel(title ?? { text: String(value), translations: {} }, known, value);
  return { value, label };
}

function traitNode(
  field: TraitField,
  name: string,
  /** The name without indices, for translations. */
  known: string,
  more: Pick<InputKind, "value" | "unsaved"> & Pick<Node, "condition" | "groups">,
): Node {
  const { value, unsaved, condition, groups } = more;
  const shown = typeof value === "object" ? undefined : value;
  // Also a value that is no choice any more stands there, so that nobody gives it up by saving something else.
  const choices = withFormer(field.choices, shown === undefined || field.choices.length === 0 ? [] : [shown]);
  return {
    name,
    label: texts.titleLabel(field.title, known),
    help: field.description && texts.traitHelp(field.description, known),
    messages: [],
    ui: field.ui,
    condition,
    groups,
    link: linkOf(field.link, known),
    element: {
      kind: "input",
      type: inputType(field),
      value: shown,
      unsaved,
      required: field.required,
      readOnly: field.readOnly,
      autocomplete: field.autocomplete,
      placeholder: field.example === undefined ? undefined : texts.traitExample(field.example, known),
      default: field.default,
      minLength: field.minLength,
      maxLength: field.maxLength,
      pattern: field.pattern,
      minimum: field.minimum,
      maximum: field.maximum,
      step: field.step,
      isConsent: field.isConsent,
      choices: choices.map((choice) => choiceOf(choice, known)),
    },
  };
}

function inputType(field: TraitField): InputType {
  switch (field.type) {
    case "boolean":
      return "checkbox";
    case "integer":
    case "number":
      return "number";
    case "string":
      return field.multiLine ? "multi_line_text" : textType(field.format);
    default: {
      const unreachable: never = field.type;
      return unreachable;
    }
  }
}

function textType(format: string | undefined): InputType {
  switch (format) {
    case "email":
      return "email";
    case "tel":
      return "phone";
    case "uri":
      return "url";
    case "date":
      return "date";
    case "date-time":
      return "date_time";
    case "time":
      return "time";
    default:
      return "text";
  }
}
