import fc from "fast-check";
import { expect, test } from "vitest";
import { FairLine } from "./fair-line.ts";

type Path = readonly [string, string, string];

function lineOf(paths: readonly Path[]) {
  const line = new FairLine<number>();
  const leave = paths.map((path, index) => line.add(path, index));
  return { line, leave };
}

function all(line: FairLine<number>): readonly number[] {
  const taken: number[] = [];
  for (let next = line.take(); next !== undefined; next = line.take()) taken.push(next);
  return taken;
}

test("tenants take turns, within a tenant addresses, within an address accounts", () => {
  const { line } = lineOf([
    ["a", "1", "x"],
    ["a", "1", "x"],
    ["a", "1", "y"],
    ["a", "2", "x"],
    ["b", "1", "x"],
    ["b", "1", "x"],
  ]);
  expect(all(line)).toEqual([0, 4, 3, 5, 2, 1]);
});

test("an item that was taken out is not taken, and leaving again or after its turn changes nothing", () => {
  const { line, leave } = lineOf([
    ["a", "1", "x"],
    ["a", "1", "x"],
    ["a", "2", "x"],
  ]);
  leave[0]?.();
  leave[0]?.();
  expect(line.length).toBe(2);
  expect(all(line)).toEqual([1, 2]);
  leave[1]?.();
  expect(line.length).toBe(0);
});

const letter = fc.constantFrom("a", "b", "c");
const paths = fc.array(fc.tuple(letter, letter, letter), { maxLength: 40 });

test("takes each of those who stayed exactly once, those of one account in the order in which they came", () => {
  fc.assert(
    fc.property(paths, fc.infiniteStream(fc.boolean()), (given, chances) => {
      const { line, leave } = lineOf(given);
      const stayed = given.flatMap((_, index) => {
        if (chances.next().value) return [index];
        leave[index]?.();
        return [];
      });
      expect(line.length).toBe(stayed.length);
      const taken = all(line);
      expect(taken.toSorted((left, right) => left - right)).toEqual(stayed);
      const byPath = Map.groupBy(taken, (index) => given[index]?.join());
      for (const own of byPath.values()) expect(own).toEqual(own.toSorted((left, right) => left - right));
    }),
  );
});

test("at each level nobody is passed twice by the same other one while they wait", () => {
  fc.assert(
    fc.property(paths, fc.integer({ min: 1, max: 3 }), (given, depth) => {
      const { line } = lineOf(given);
      const taken = all(line).map((index) => given[index] ?? ["", "", ""]);
      const groupOf = (path: readonly string[]) => path.slice(0, depth).join();
      const parentOf = (path: readonly string[]) => path.slice(0, depth - 1).join();
      for (const [at, path] of taken.entries()) {
        // Since this one's group had its turn before, no other group of the same parent had more than one.
        const before = taken.slice(0, at);
        const last = before.findLastIndex((each) => groupOf(each) === groupOf(path));
        const since = before.slice(last + 1).filter((each) => parentOf(each) === parentOf(path));
        const counts = Map.groupBy(since, groupOf);
        for (const group of counts.values()) expect(group.length).toBe(1);
      }
    }),
  );
});
