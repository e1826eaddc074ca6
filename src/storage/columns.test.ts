import { expect, test } from "vitest";
import { Columns } from "./columns.ts";

const columns = new Columns("t", { id: "uuid", digest: "bytea", made_at: "timestamptz" });

test("names columns for each part of a statement; bytes are hexadecimal within JSON", () => {
  expect(columns.selected).toBe("t.id AS t_id, t.digest AS t_digest, t.made_at AS t_made_at");
  expect(columns.names).toBe("id, digest, made_at");
  expect(columns.record).toBe("AS given(id uuid, digest text, made_at timestamptz)");
  expect(columns.given).toBe("given.id, decode(given.digest, 'hex'), given.made_at");
});

test("leaves out and adds", () => {
  expect(columns.without("digest").assignments).toBe("id = given.id, made_at = given.made_at");
  expect(columns.without("digest", "made_at").with({ kept: "boolean" }).record).toBe(
    "AS given(id uuid, kept boolean)",
  );
});
