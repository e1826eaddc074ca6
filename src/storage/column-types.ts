import { type CustomTypesConfig, types } from "pg";

const { builtins } = types;

/** A value that the database sent in a form that no parser of ours knows. The value itself is not in the message. */
class UnreadableValueError extends Error {
  override readonly name = "UnreadableValueError";

  constructor(type: string) {
    super(`The database sent a value of the type ${type} in a form that cannot be read`);
  }
}

type Parser = (text: string) => unknown;

/** Types that `pg` has no name for. */
const unnamed = { name: 19, textArray: 1009, void: 2278, uuidArray: 2951, xid8: 5069 } as const;

/**
 * How each type is read that our statements return. A type that is missing here is an error, so that a new column is given
 * a parser on purpose.
 *
 * Security rule (SR-STORE-1): what cannot be read is never null. Null means "never" for the end of a key, a session or an account, so a
 * parser that gives up with null opens what has ended.
 */
const parsers: ReadonlyMap<number, Parser> = new Map<number, Parser>([
  [builtins.BOOL, readBoolean],
  [builtins.BYTEA, types.getTypeParser(builtins.BYTEA)],
  [builtins.INT2, readInteger],
  [builtins.INT4, readInteger],
  // As text: it may be beyond the whole numbers that JavaScript keeps exactly.
  [builtins.INT8, asText],
  [builtins.NUMERIC, asText],
  [builtins.FLOAT8, readFloat],
  [builtins.TEXT, asText],
  [builtins.VARCHAR, asText],
  [unnamed.name, asText],
  [builtins.UUID, asText],
  [builtins.JSON, JSON.parse],
  [builtins.JSONB, JSON.parse],
  [builtins.TIMESTAMPTZ, readTime],
  [unnamed.void, asText],
  [unnamed.xid8, asText],
  [unnamed.textArray, arrayParser(unnamed.textArray)],
  [unnamed.uuidArray, arrayParser(unnamed.uuidArray)],
]);

/** The parsers, as `pg` asks for them. */
export const columnTypes: CustomTypesConfig = {
  getTypeParser: ((type: number) =>
    parsers.get(type) ?? unknownType(type)) as CustomTypesConfig["getTypeParser"],
};

/** The moment that a text in ISO 8601 names, as PostgreSQL writes times by themselves and within JSON. Throws for any other text. */
export function readTime(text: string): Date {
  const [, date, time, offset = "", minutes = "00"] = isoTime.exec(text) ?? [];
  const read = new Date(`${date}T${time}${offset === "Z" ? "Z" : `${offset}:${minutes}`}`);
  if (date === undefined || Number.isNaN(read.getTime())) throw new UnreadableValueError("timestamptz");
  return read;
}

/** Four digits a year: an era or a fifth digit is beyond what a Timestamp of the contract can be. */
const isoTime = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)(Z|[+-]\d\d)(?::?(\d\d))?$/;

function readBoolean(text: string): boolean {
  if (text === "t" || text === "f") return text === "t";
  throw new UnreadableValueError("boolean");
}

function readInteger(text: string): number {
  const read = Number(text);
  if (text === "" || !Number.isSafeInteger(read)) throw new UnreadableValueError("integer");
  return read;
}

function readFloat(text: string): number {
  const read = Number(text);
  if (text === "" || !Number.isFinite(read)) throw new UnreadableValueError("double precision");
  return read;
}

/** Refuses a value, not the column: an error while `pg` asks for the parser would leave the statement without an answer. */
function unknownType(type: number): Parser {
  return () => {
    throw new UnreadableValueError(`number ${type}`);
  };
}

/** The driver's own parser of a list. It gives the elements as texts, and null for NULL alone. */
function arrayParser(type: number): Parser {
  return types.getTypeParser(type as Parameters<typeof types.getTypeParser>[0]);
}

function asText(text: string): string {
  return text;
}
