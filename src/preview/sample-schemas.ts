import { defaultSchemaDocument } from "../domain/identity/default-schema.ts";
import type { ConfiguredSchema } from "../domain/identity/schemas.ts";
import type { JsonObject } from "../domain/json.ts";

/** The schemas of the samples. `rich` has a field of every kind. */
export type SampleSchema = "person" | "rich";

const inGerman = (title: string) => ({ titles: { de: title } });

const richDocument: JsonObject = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    username: {
      type: "string",
      title: "Username",
      minLength: 3,
      maxLength: 32,
      ostiary: { identifier: "username", ...inGerman("Benutzername") },
    },
    email: {
      type: "string",
      format: "email",
      title: "Email",
      ostiary: {
        identifier: "email",
        verifiable: "email",
        recovery: "email",
        ...inGerman("E-Mail-Adresse"),
      },
    },
    phone: {
      type: "string",
      format: "tel",
      title: "Phone number",
      examples: ["+41 44 668 18 00"],
      ostiary: { identifier: "phone", verifiable: "phone", recovery: "phone", ...inGerman("Telefonnummer") },
    },
    name: {
      type: "object",
      title: "Name",
      properties: {
        given: { type: "string", title: "Given name", maxLength: 60, ostiary: inGerman("Vorname") },
        family: { type: "string", title: "Family name", maxLength: 60, ostiary: inGerman("Nachname") },
      },
      required: ["given", "family"],
    },
    birthday: {
      type: "string",
      format: "date",
      title: "Date of birth",
      description: "Only you and the people who help you see it.",
      ostiary: { ...inGerman("Geburtsdatum"), descriptions: { de: "Nur Sie und die Hilfe sehen es." } },
    },
    reminder: {
      type: "string",
      format: "date-time",
      title: "Remind me at",
      ostiary: inGerman("Erinnern am"),
    },
    quiet_from: {
      type: "string",
      format: "time",
      title: "No calls after",
      ostiary: inGerman("Keine Anrufe nach"),
    },
    website: { type: "string", format: "uri", title: "Website", ostiary: inGerman("Webseite") },
    height: {
      type: "number",
      title: "Height in metres",
      minimum: 0.5,
      maximum: 2.5,
      ostiary: inGerman("Größe in Metern"),
    },
    guests: {
      type: "integer",
      title: "Number of guests",
      minimum: 0,
      maximum: 8,
      ostiary: inGerman("Zahl der Gäste"),
    },
    plan: {
      title: "Plan",
      oneOf: [
        { const: "free", title: "Free", ostiary: inGerman("Kostenlos") },
        { const: "team", title: "For a team", ostiary: inGerman("Für ein Team") },
        {
          const: "company",
          title: "For a whole company, with everything that there is and a person who helps",
          ostiary: inGerman("Für ein ganzes Unternehmen, mit allem, was es gibt, und mit persönlicher Hilfe"),
        },
      ],
      ostiary: inGerman("Tarif"),
    },
    motto: {
      type: "string",
      title: "About you",
      maxLength: 500,
      ostiary: { multi_line: true, ...inGerman("Über Sie") },
    },
    pets: {
      type: "array",
      title: "Pets",
      items: { type: "string", title: "Name of the pet", ostiary: inGerman("Name des Tiers") },
      maxItems: 5,
      ostiary: inGerman("Haustiere"),
    },
    addresses: {
      type: "array",
      title: "Addresses",
      items: {
        type: "object",
        properties: {
          street: { type: "string", title: "Street", ostiary: inGerman("Straße") },
          city: { type: "string", title: "City", ostiary: inGerman("Ort") },
        },
        required: ["street", "city"],
      },
      maxItems: 3,
      ostiary: inGerman("Anschriften"),
    },
    customer: {
      type: "string",
      title: "Customer number",
      readOnly: true,
      ostiary: inGerman("Kundennummer"),
    },
    answer: {
      type: "string",
      title: "Your mother's first pet",
      writeOnly: true,
      ostiary: inGerman("Das erste Haustier Ihrer Mutter"),
    },
    newsletter: {
      type: "boolean",
      title: "Send me the newsletter",
      default: true,
      ostiary: inGerman("Den Newsletter an mich senden"),
    },
    consent: {
      const: true,
      title: "I agree to the terms of use and have read what is done with my data",
      ostiary: {
        ...inGerman("Ich nehme die Nutzungsbedingungen an und habe die Hinweise zum Datenschutz gelesen"),
        link: {
          url: "https://example.com/terms",
          title: "Terms of use",
          titles: { de: "Nutzungsbedingungen" },
        },
      },
    },
  },
  required: ["email", "name", "consent"],
  additionalProperties: false,
};

/** Their documents, by their names. */
export const sampleSchemas: Readonly<Record<SampleSchema, readonly ConfiguredSchema[]>> = {
  person: [{ id: "default", document: defaultSchemaDocument }],
  rich: [{ id: "default", document: richDocument }],
};
