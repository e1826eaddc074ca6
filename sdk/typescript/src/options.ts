// SPDX-License-Identifier: Apache-2.0

/** The names of the options of a type; of a union, those of all its members. */
type OptionName<Options> = Options extends unknown ? keyof Options & string : never;

/** Every option of a type by its name; the compiler refuses a list that lacks one. */
export type OptionNames<Options> = Readonly<Record<OptionName<Options>, true>>;

/**
 * Throws a TypeError for an option that the function does not have, with the name that was probably meant.
 *
 * Security rule (SR-SDK-4): an option that is ignored is a demand that vanishes, so untyped code is told when it is made.
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

/** The name that begins alike for longest. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const likeness = (known: string) => commonStart(plain(name), plain(known));
  return [...names].sort((one, other) => likeness(other) - likeness(one))[0];
}

/** Without case, and without what `snake_case` and `kebab-case` put between words. */
function plain(name: string): string {
  return name.replace(/[_-]/g, "").toLowerCase();
}

function commonStart(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}
