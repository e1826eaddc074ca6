import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { docsTables, flowTables, readmeTables } from "../../scripts/flow-tables.ts";
import { actionLimits } from "../../src/domain/throttle/limits.ts";

/** Where a flow of each kind begins, as it is created, opened by a link, or drafted by another flow. */
const beginnings: Readonly<Record<string, readonly string[]>> = {
  login: ["enter_identifier", "choose_method", "confirm_link", "choose_second_factor", "hand_over"],
  registration: ["fill_profile", "fill_form", "confirm_link"],
  verification: ["choose_method", "confirm_link"],
  recovery: ["choose_method", "confirm_link", "stop_recovery"],
  settings: ["change_settings", "set_new_secret", "create_passkey"],
};

test("each kind of flow has a table", () => {
  expect(Object.keys(flowTables())).toEqual(Object.keys(beginnings));
});

describe.each(Object.keys(beginnings))("the table of %s", (kind) => {
  // Made in each test anew, so that a mutant of a table is tried with these tests alone (make mutants).
  const statesOf = () => flowTables()[kind] ?? {};
  const stepsOf = () =>
    Object.entries(statesOf()).flatMap(([at, { steps: own }]) =>
      Object.entries(own).map(([name, rule]) => ({ at, name, ...rule })),
    );

  test.each([
    ["src/domain/flow/README.md", readmeTables],
    ["docs/flows.md", docsTables],
  ])("is the one that %s shows", (file, tables) => {
    expect(readFileSync(file, "utf8")).toContain(`<!-- table: ${kind} -->\n\n${tables()[kind]}\n\n`);
  });

  test("leads to states that it has, and each state is reached", () => {
    const states = statesOf();
    const targets = stepsOf()
      .flatMap(({ leadsTo }) => leadsTo)
      .filter((target) => target !== "completed");
    expect(targets.filter((target) => states[target] === undefined)).toEqual([]);
    const reached = new Set([...targets, ...(beginnings[kind] ?? [])]);
    expect(Object.keys(states).filter((at) => !reached.has(at))).toEqual([]);
  });

  test("can be completed, from every state", () => {
    const states = statesOf();
    const leads = (at: string, seen: ReadonlySet<string>): boolean =>
      Object.values(states[at]?.steps ?? {}).some(({ leadsTo }) =>
        leadsTo.some(
          (target) =>
            target === "completed" || (!seen.has(target) && leads(target, new Set([...seen, target]))),
        ),
      );
    // Settings go on for as long as their holder wants; where they wait for a link to be opened, the opened one goes on.
    const ends = Object.keys(states).filter((at) => !leads(at, new Set([at])));
    expect(ends).toEqual([]);
  });

  // Security rule (SR-CODE-2): what tries a secret is counted before it is compared.
  test("counts each step that tries or sends a secret", () => {
    const secret = new Set(["password", "code", "confirmLink", "sendCode", "sendLink", "resend"]);
    // The settings, and what is done before a session, have a budget of their own for what is hashed.
    const makes = ({ at, name }: { at: string; name: string }) =>
      name === "password" && (kind === "settings" || at === "required_action");
    const uncounted = stepsOf().filter(
      (step) => secret.has(step.name) && (step.limits ?? []).length === 0 && !makes(step),
    );
    expect(uncounted).toEqual([]);
    const unknown = stepsOf()
      .flatMap(({ limits = [] }) => limits)
      .filter((action) => !(action in actionLimits));
    expect(unknown).toEqual([]);
  });

  // Security rule (SR-SETTINGS-1): secrets, addresses and the end of an account change only after a fresh login (ASVS V7.5.1).
  test("asks for a fresh login where something changes that signs in", () => {
    const changing = stepsOf().filter(
      ({ name }) =>
        kind === "settings" &&
        ![
          ...["back", "resume", "code", "resend", "keepAccount"],
          ...["manageCredential", "renameCredential", "acceptTerms"],
        ].includes(name),
    );
    expect(changing.filter(({ needs }) => needs === undefined)).toEqual([]);
  });
});
