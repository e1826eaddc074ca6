import { expect, test } from "vitest";
import { createPreview } from "../../src/app-preview.ts";
import { loadConfig } from "../../src/config/load-config.ts";

const document = {
  type: "object",
  properties: {
    handle: { type: "string", title: "Handle", ostiary: { identifier: "username" } },
    shoe_size: { type: "integer", title: "Shoe size", ostiary: { titles: { de: "Schuhgröße" } } },
  },
  required: ["handle"],
};

function previewWith(schemas: readonly object[]) {
  const environment = {
    OSTIARY_TENANT_DEFAULTS_IDENTITY_SCHEMAS: JSON.stringify(schemas),
    OSTIARY_TENANT_DEFAULTS_IDENTITY_DEFAULT_SCHEMA: "customer",
  };
  return createPreview({ config: loadConfig({ environment, flags: {} }), port: 0 });
}

test("the preview draws the schemas of the configuration", async () => {
  const schemas = [
    { id: "customer", document },
    { id: "staff", document: { ...document, title: "Staff" } },
  ];
  const { preview } = await previewWith(schemas);
  const own = preview.states.filter(({ name }) => name.includes("/own-schema"));
  expect(own.map(({ name }) => name)).toEqual([
    "login/own-schema",
    "registration/own-schema",
    "settings/own-schema",
    "registration/own-schema-2",
    "settings/own-schema-2",
  ]);
  for (const state of own) {
    const { form } = await preview.draw(state);
    const labels = form.nodes.map(({ label }) => label?.text);
    expect(labels, state.name).toContain("Handle");
    if (!state.name.startsWith("login/")) expect(labels, state.name).toContain("Shoe size");
  }
});
