import type { JsonObject } from "../json.ts";

/** The schema `default` of a server whose configuration names none: an email address, and a name to show. */
export const defaultSchemaDocument: JsonObject = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Person",
  type: "object",
  properties: {
    email: {
      type: "string",
      format: "email",
      title: "Email",
      maxLength: 254,
      ostiary: { identifier: "email", verifiable: "email", recovery: "email" },
    },
    name: {
      type: "string",
      title: "Name",
      maxLength: 255,
      ostiary: { display_name: true },
    },
  },
  required: ["email"],
  additionalProperties: false,
};
