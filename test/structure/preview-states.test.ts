import { globSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { flowTables } from "../../scripts/flow-tables.ts";
import { errorReasons, errorTexts } from "../../src/domain/errors.ts";
import type { Flow } from "../../src/domain/flow/shared/flow.ts";
import type { Node } from "../../src/domain/form/form.ts";
import { createMethods } from "../../src/domain/method/create-methods.ts";
import { previewOfNothing } from "../support/preview.ts";

const preview = await previewOfNothing();

/** A state that shows a flow, with where that stands. */
interface DrawnState {
  readonly name: string;
  readonly kind: string;
  readonly at: string;
  readonly flow: Flow;
}

describe("the preview of the pages", () => {
  let drawn: readonly DrawnState[];
  let numbers: ReadonlySet<number>;

  beforeAll(async () => {
    const found: DrawnState[] = [];
    for (const state of preview.states) {
      if (state.shows.kind !== "flow") continue;
      const { kind, state: standing } = await state.shows.flow();
      found.push({ name: state.name, kind, at: standing.at, flow: await preview.draw(state) });
    }
    drawn = found;
    numbers = new Set(drawn.flatMap(({ flow }) => numbersIn(flow.form)));
  });

  test.each(Object.keys(flowTables()))("has a state for each state of the table of %s", (kind) => {
    const shown = new Set(drawn.filter((each) => each.kind === kind).map(({ at }) => at));
    expect(Object.keys(flowTables()[kind] ?? {}).filter((at) => !shown.has(at))).toEqual([]);
  });

  // A new method is offered in a state of each kind of flow that it is for.
  test.each(["login", "registration", "settings"] as const)("has a state for each method of a %s", (kind) => {
    const methods = createMethods({} as Parameters<typeof createMethods>[0])[kind];
    const offered = new Set(
      drawn
        .filter((each) => each.kind === kind)
        .flatMap(({ flow: { stage } }) =>
          stage !== undefined && "offers" in stage ? stage.offers.map((offer) => offer.kind as string) : [],
        ),
    );
    expect(methods.map((method) => method.kind).filter((each) => !offered.has(each))).toEqual([]);
  });

  test("has a state that shows each numbered message of a form", () => {
    const missing = messageNumbers().filter(({ number }) => !numbers.has(number));
    expect(missing).toEqual([]);
  });

  test("looks for messages where they are", () => {
    const found = messageNumbers().map(({ number }) => number);
    // Of a call, of a table, and of a call over several lines.
    expect(found).toEqual(expect.arrayContaining([1010022, 1070013, 9000323]));
    expect(found.length).toBeGreaterThan(190);
  });

  test("has a state for each refusal that people are told of", () => {
    const refused = preview.states.flatMap(({ shows }) => (shows.kind === "refused" ? [shows.reason] : []));
    expect(refused).toEqual(errorReasons.filter((reason) => errorTexts[reason].user !== undefined));
  });

  test("has a state for each page, by a name of its own that can stand in an address", () => {
    const names = preview.states.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !/^[a-z]+\/[a-z0-9-]+$/.test(name))).toEqual([]);
    const source = readFileSync("ui/src/routes.ts", "utf8");
    const routes = [...source.matchAll(/^ {2}"([a-z-]*)",$/gm)].map(([, route = ""]) => route);
    expect(routes).toContain("login");
    const pages = new Set(preview.states.map(({ page }) => page.replace(/\?.*/, "")));
    expect(routes.filter((route) => !pages.has(route))).toEqual([]);
  });
});

describe("a form in any state", () => {
  const forms = async () => {
    const flows = preview.states.filter(({ shows }) => shows.kind === "flow");
    return Promise.all(
      flows.map(async (state) => ({ name: state.name, ...(await preview.draw(state)).form })),
    );
  };

  test("has its way back last, and not as the loudest of several buttons", async () => {
    const wrong = (await forms()).filter(({ nodes, sections = [] }) => {
      // As pages draw them: section by section, what belongs to none first.
      const order = ["", ...sections.map(({ id }) => id)];
      const place = ({ section = "" }: Node) => order.indexOf(section);
      const buttons = nodes
        .filter(({ element }) => element.kind === "button")
        .toSorted((one, other) => place(one) - place(other));
      const back = buttons.findIndex(({ name }) => name === "back");
      if (back === -1 || buttons.length === 1) return false;
      const { element } = buttons[back] ?? {};
      return back < buttons.length - 1 || (element?.kind === "button" && element.importance === "primary");
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  test("says what it is about, beside its title", async () => {
    const silent = (await forms()).filter(
      ({ subtitle, messages, nodes }) =>
        subtitle === undefined &&
        messages.length === 0 &&
        nodes.every(({ element }) => element.kind === "button"),
    );
    expect(silent.map(({ name }) => name)).toEqual([]);
  });
});

/** The numbers of the messages in the sources, each with its file and the beginning of its sentence. */
function messageNumbers(): readonly {
  readonly number: number;
  readonly file: string;
  readonly text: string;
}[] {
  return globSync("src/domain/user-message/*.ts", { exclude: ["**/*.test.ts"] }).flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/[([]\s*([1-9]\d{6}),\s*(.{0,40})/g)].map(
      ([, number, text = ""]) => ({ number: Number(number), file, text }),
    ),
  );
}

/** The numbers of all messages within a form. */
function numbersIn(value: unknown): readonly number[] {
  if (Array.isArray(value)) return value.flatMap(numbersIn);
  if (typeof value !== "object" || value === null) return [];
  const { id, text } = value as { readonly id?: unknown; readonly text?: unknown };
  const own = typeof id === "number" && typeof text === "string" ? [id] : [];
  return [...own, ...Object.values(value).flatMap(numbersIn)];
}
