// SPDX-License-Identifier: Apache-2.0

/** The names of the options of a type; of a union, those of all its members. */
type OptionName<Options> = Options extends unknown ? keyof Options & string : never;

/** Every option of a type by its name; the compiler refuses a list that lacks one. */
export type OptionNames<Options> = Readonly<Record<OptionName<Options>, true>>;

/**
 * Throws a TypeError for an option that the function does not have, with the name that was probably meant.
 *
 * Security rule: an option that is ignored is a demand that vanishes, so untyped code is told when it is made.
 * `otherNames` gives what an option is called elsewhere, for example in the contract.
 */
export function refuseUnknownOptions<Options extends object>(
  caller: string,
  options: Options,
  known: OptionNames<Options>,
  otherNames: Readonly<Record<string, OptionName<Options>>> = {},
): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`${caller} takes its options as an object, not ${String(options)}`);
  }
  // With those of a prototype, whose values are read as well; not what a program has added to every object.
  for (const name in options) {
    if (Object.hasOwn(known, name) || name in Object.prototype) continue;
    const names = Object.keys(known);
    const meant = Object.hasOwn(otherNames, name) ? otherNames[name] : nearest(name, names);
    throw new TypeError(
      `${caller} has no option "${name}": did you mean "${meant}"? Its options are ${names.join(", ")}.`,
    );
  }
}

function nearest(name: string, names: readonly string[]): string | undefined {
  const distances = names.map((known) => ({ known, distance: distanceOf(plain(name), plain(known)) }));
  return distances.sort((one, other) => one.distance - other.distance)[0]?.known;
}

/** Without case, and without what `snake_case` and `kebab-case` put between words. */
function plain(name: string): string {
  return name.slice(0, 64).replace(/[_-]/g, "").toLowerCase();
}

/** The number of letters to change, or none where one name holds the other: `timeout` and `timeoutMs`. */
function distanceOf(one: string, other: string): number {
  if (one !== "" && (one.includes(other) || other.includes(one))) return 0;
  let previous = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...one].entries()) {
    const current = [row + 1];
    for (let column = 0; column < other.length; column += 1) {
      const replaced = (previous[column] ?? 0) + (letter === other[column] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
