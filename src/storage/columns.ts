/**
 * Columns of a table and their types, and the pieces of SQL that name them. rows.generated.ts has those of the entities; a
 * statement leaves out what it does not write.
 */
export class Columns<Name extends string> {
  readonly #alias: string;
  readonly #types: Readonly<Record<Name, string>>;

  constructor(alias: string, types: Readonly<Record<Name, string>>) {
    this.#alias = alias;
    this.#types = types;
  }

  /** For SELECT and RETURNING, where the table has the alias `i`: `i.id AS i_id, …`. So they can stand beside others. */
  get selected(): string {
    return this.#list((name) => `${this.#alias}.${name} AS ${this.#alias}_${name}`);
  }

  /** For INSERT: `id, …`. */
  get names(): string {
    return this.#list((name) => name);
  }

  /** What a JSON parameter unfolds to: `AS given(id uuid, …)`. Bytes are hexadecimal there. */
  get record(): string {
    return `AS given(${this.#list((name, type) => `${name} ${type === "bytea" ? "text" : type}`)})`;
  }

  /** The values of a `record`, for INSERT … SELECT: `given.id, …`. */
  get given(): string {
    return this.#list(givenValue);
  }

  /** The same for UPDATE … SET: `id = given.id, …`. */
  get assignments(): string {
    return this.#list((name, type) => `${name} = ${givenValue(name, type)}`);
  }

  only<Some extends Name>(...names: readonly Some[]): Columns<Some> {
    return this.#pick((name): name is Some => (names as readonly string[]).includes(name));
  }

  without<Some extends Name>(...names: readonly Some[]): Columns<Exclude<Name, Some>> {
    return this.#pick(
      (name): name is Exclude<Name, Some> & string => !(names as readonly string[]).includes(name),
    );
  }

  /** With columns more, which may be in the record alone. */
  with<More extends string>(types: Readonly<Record<More, string>>): Columns<Name | More> {
    return new Columns<Name | More>(this.#alias, { ...this.#types, ...types } as Record<Name | More, string>);
  }

  #pick<Some extends string>(isPicked: (name: string) => name is Some): Columns<Some> {
    const picked = Object.entries(this.#types).filter(([name]) => isPicked(name));
    return new Columns(this.#alias, Object.fromEntries(picked) as Record<Some, string>);
  }

  #list(piece: (name: string, type: string) => string): string {
    return Object.entries<string>(this.#types)
      .map(([name, type]) => piece(name, type))
      .join(", ");
  }
}

function givenValue(name: string, type: string): string {
  return type === "bytea" ? `decode(given.${name}, 'hex')` : `given.${name}`;
}
