import { describe, expect, test } from "vitest";
import { required } from "../message/message.ts";
import { type Node, nodeName, withProblems } from "./form.ts";

const email: Node = {
  name: "traits.email",
  group: "profile",
  messages: [],
  element: { kind: "input", type: "email" },
};

describe("messages about a form", () => {
  test("about a field stand at its node", () => {
    const message = required("email");
    const form = withProblems([email], { fields: [{ name: "traits.email", message }], form: [] });
    expect(form).toEqual({ nodes: [{ ...email, messages: [message] }], messages: [] });
  });

  test("about a field without a node stand at the form, so that none is lost", () => {
    const message = required("phone");
    const form = withProblems([email], { fields: [{ name: "traits.phone", message }], form: [] });
    expect(form).toEqual({ nodes: [email], messages: [message] });
  });

  test("about a field that is not drawn stand at the form as well", () => {
    const message = required("identifier");
    const hidden: Node = { ...email, name: "identifier", element: { kind: "input", type: "hidden" } };
    const form = withProblems([hidden], { fields: [{ name: "identifier", message }], form: [] });
    expect(form).toEqual({ nodes: [hidden], messages: [message] });
  });
});

describe("node names", () => {
  test("separate parts by dots, and escape dots within a part", () => {
    expect(nodeName("traits", "name", "first")).toBe("traits.name.first");
    expect(nodeName("traits", "a.b", "c\\d")).toBe("traits.a\\.b.c\\\\d");
  });
});
