import { readFileSync } from "node:fs";
import { getOption } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { method as methodOption } from "../../gen/ostiary/option/v1/option_pb.js";
import { contracts } from "../../src/app-services.ts";

/** What a key can hold beside the scopes of the admin API: for the public listener. */
const publicScopes = ["session:watch", "client:forward"];

test("the table of scopes in the docs has those that methods need, and no other", () => {
  const needed = contracts.flatMap(({ methods }) =>
    methods.flatMap((method) => {
      const caller = getOption(method, methodOption).access?.caller;
      return caller?.case === "apiKey" ? [caller.value.scope] : [];
    }),
  );
  const [, table = ""] = /\n## Scopes\n([\s\S]*?)\n## /.exec(readFileSync("docs/admin-api.md", "utf8")) ?? [];
  const rows = table.split("\n").filter((line) => line.startsWith("| `"));
  const listed = rows.flatMap((row) =>
    [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  expect(listed.toSorted()).toEqual([...new Set([...needed, ...publicScopes])].toSorted());
});
