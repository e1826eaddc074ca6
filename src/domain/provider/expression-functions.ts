import {
  type CelEnv,
  type CelFunc,
  type CelList,
  type CelValue,
  celEnv,
  celFunc,
  celList,
  celMethod,
  isCelError,
  isCelList,
  isCelMap,
} from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";
import type { LinearPattern } from "../linear-pattern.ts";
import { maxItems, maxTextLength } from "./limited-claims.ts";

/** How a function is called: `f(x)` with the number of its arguments, `x.f()` with those in the brackets. */
export interface FunctionShape {
  readonly call?: readonly [min: number, max: number];
  readonly method?: readonly [min: number, max: number];
}

/** The functions of expressions. A closed list: each has a price below. Beside them there are the macros. */
export const expressionFunctions: ReadonlyMap<string, FunctionShape> = new Map(
  Object.entries<FunctionShape>({
    size: { call: [1, 1], method: [0, 0] },
    string: { call: [1, 1] },
    int: { call: [1, 1] },
    double: { call: [1, 1] },
    bool: { call: [1, 1] },
    contains: { method: [1, 1] },
    startsWith: { method: [1, 1] },
    endsWith: { method: [1, 1] },
    matches: { method: [1, 1] },
    lowerAscii: { method: [0, 0] },
    upperAscii: { method: [0, 0] },
    trim: { method: [0, 0] },
    split: { method: [1, 2] },
    join: { method: [0, 1] },
    substring: { method: [1, 2] },
    indexOf: { method: [1, 2] },
    charAt: { method: [1, 1] },
  }),
);

/** The macros, which the parser resolves, each with its use. */
export const expressionMacros: ReadonlyMap<string, string> = new Map([
  ["has", "has(claims.x)"],
  ["exists", "claims.list.exists(x, …)"],
  ["all", "claims.list.all(x, …)"],
  ["exists_one", "claims.list.exists_one(x, …)"],
  ["filter", "claims.list.filter(x, …)"],
  ["map", "claims.list.map(x, …)"],
]);

/** The operators, as the parser names them. */
export const expressionOperators: ReadonlySet<string> = new Set(
  "_+_ _-_ _*_ _/_ _%_ -_ !_ _==_ _!=_ _<_ _<=_ _>_ _>=_ @in _&&_ _||_ _?_:_ _[_] @not_strictly_false".split(
    " ",
  ),
);

/** A pattern of an expression. */
export interface ExpressionPattern {
  readonly pattern: LinearPattern;
  /** About how many states it has. */
  readonly states: number;
}

/** That an expression has met a limit. Its message has no value of a claim. */
export class ExpressionLimit extends Error {}

/** What all the expressions of one mapping may still do. */
export interface Allowance {
  /** In values and quarters of a text looked at. */
  left: number;
}

/**
 * How much the functions may do for the expressions of one mapping.
 *
 * Security rule (SR-MAP-1): the library has no limit of its own, and evaluates on the thread that answers everybody else.
 */
export const wholeAllowance = 50_000;

/** Why expressions are left out once the allowance is used up. */
export const tooMuchWork = "the claims are too much work for the expressions";

// Evaluation is synchronous, and no function calls back, so that one run at a time is all there is.
let current: { allowance: Allowance; patterns: ReadonlyMap<string, ExpressionPattern> } | undefined;

/** Evaluates something under an allowance. */
export function runWith<T>(
  allowance: Allowance,
  patterns: ReadonlyMap<string, ExpressionPattern>,
  evaluate: () => T,
): T {
  const { stackTraceLimit } = Error;
  current = { allowance, patterns };
  // A loop may meet an error for each item, and taking its stack, which nobody reads, costs more than all the rest.
  Error.stackTraceLimit = 0;
  try {
    return evaluate();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    current = undefined;
  }
}

function pay(amount: number): void {
  if (current === undefined) throw new Error("functions of expressions need an allowance");
  const { allowance } = current;
  if (amount > allowance.left) {
    // Everything costs something, so that nothing more is done, also where a loop goes on after an error.
    allowance.left = 0;
    throw new ExpressionLimit(tooMuchWork);
  }
  allowance.left -= amount;
}

/** The price of a call beside that of its arguments: the library looks for the overload that fits. */
const callPrice = 8;

/** The price of looking at a value; `deep` also at all that is in it. */
function priceOf(value: CelValue | undefined, deep: boolean): number {
  if (typeof value === "string") return 1 + value.length / 4;
  if (!isCelList(value) && !isCelMap(value)) return 1;
  // What is not looked at is copied at most.
  if (!deep) return 1 + value.size / 4;
  let price = 1;
  for (const inner of value.values()) {
    price += priceOf(inner, true);
    if (price > wholeAllowance) break;
  }
  return price;
}

/** The functions that look at all that is in a list or map. */
const deepFunctions = new Set(["_==_", "_!=_", "@in", "join"]);

/** The same function, which pays for its arguments and makes nothing too large. */
function counted(func: CelFunc): CelFunc {
  const run = (target: CelValue | undefined, args: CelValue[]) => {
    const isDeep = deepFunctions.has(func.name);
    pay(callPrice);
    for (const value of [target, ...args]) pay(priceOf(value, isDeep));
    const [left, right] = args;
    const isSum = func.name === "_+_" && isCelList(left) && isCelList(right);
    return bounded(isSum ? sumOf(left, right) : called(func, target, args));
  };
  return func.target === undefined
    ? celFunc(func.name, func.arguments, func.result, (...args) => run(undefined, args))
    : celMethod(func.name, func.target, func.arguments, func.result, function (...args) {
        return run(this, args);
      });
}

function called(func: CelFunc, target: CelValue | undefined, args: CelValue[]): CelValue {
  const result = func.call(0, target, args);
  if (result === undefined) throw new Error(`no such overload of ${func.name}`);
  if (isCelError(result)) throw result;
  return result;
}

function bounded(result: CelValue): CelValue {
  if (typeof result === "string" && result.length > maxTextLength) {
    throw new ExpressionLimit(`a text has more than ${maxTextLength} characters`);
  }
  if (isCelList(result) && result.size > maxItems)
    throw new ExpressionLimit(`a list has more than ${maxItems} items`);
  return result;
}

const itemsOfSums = new WeakMap<CelList, readonly CelValue[]>();

/**
 * Two lists in one. `map` and `filter` make their lists by sums, one for each item: the library keeps the halves of a sum, so
 * that the list of 256 sums is slow to read. Here it is one array, copied.
 */
function sumOf(left: CelList, right: CelList): CelList {
  const items = [...(itemsOfSums.get(left) ?? left), ...(itemsOfSums.get(right) ?? right)];
  const sum = celList(items);
  itemsOfSums.set(sum, items);
  return sum;
}

let environment: CelEnv | undefined;

/** What expressions are evaluated in. Made once, and not before there is an expression: it takes 20 ms. */
export function expressionEnvironment(): CelEnv {
  environment ??= createEnvironment();
  return environment;
}

function createEnvironment(): CelEnv {
  const known = new Set([...expressionFunctions.keys(), ...expressionOperators]);
  return celEnv({
    funcs: [...celEnv({ funcs: [...strings] }).funcs].filter(({ name }) => known.has(name)).map(counted),
    re2: { compile: (text) => ({ test: (value) => matches(text, value) }) },
  });
}

/** Whether a text matches a pattern of the expression that is evaluated. */
function matches(pattern: string, text: string): boolean {
  const found = current?.patterns.get(pattern);
  if (found === undefined) throw new Error("the pattern was not checked");
  pay(1 + text.length * found.states);
  return found.pattern.test(text);
}
