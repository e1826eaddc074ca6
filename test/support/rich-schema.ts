/** A schema with everything that a form can draw, as the value of `identity.schemas` in YAML. */
export const richSchemas = [
  {
    id: "rich",
    document: {
      type: "object",
      properties: {
        email: {
          type: "string",
          format: "email",
          title: "Email",
          ostiary: {
            titles: { de: "E-Mail" },
            identifier: "email",
            verifiable: "email",
            recovery: "email",
          },
        },
        phone: {
          type: "string",
          format: "tel",
          title: "Mobile number",
          examples: ["0171 2345678"],
          ostiary: { titles: { de: "Mobilnummer" }, identifier: "phone" },
        },
        handle: {
          type: "string",
          pattern: "^[a-z][a-z0-9_]{2,19}$",
          title: "Nickname",
          ostiary: {
            titles: { de: "Spitzname" },
            autocomplete: "nickname",
            error: "Use 3 to 20 small letters and digits, and begin with a letter.",
            errors: { de: "Nehmen Sie 3 bis 20 Kleinbuchstaben und Ziffern, zuerst einen Buchstaben." },
          },
        },
        name: {
          type: "object",
          title: "Name",
          description: "As it stands in your passport.",
          ostiary: { titles: { de: "Name" }, descriptions: { de: "So wie in Ihrem Ausweis." } },
          properties: {
            first: {
              type: "string",
              title: "First name",
              minLength: 1,
              ostiary: { titles: { de: "Vorname" }, autocomplete: "given-name" },
            },
            last: {
              type: "string",
              title: "Last name",
              minLength: 1,
              ostiary: { titles: { de: "Nachname" }, autocomplete: "family-name" },
            },
          },
          required: ["first", "last"],
          additionalProperties: false,
        },
        birthday: {
          type: "string",
          format: "date",
          title: "Birthday",
          ostiary: { titles: { de: "Geburtstag" }, autocomplete: "bday" },
        },
        call_at: {
          type: "string",
          format: "date-time",
          title: "Call me at",
          ostiary: { titles: { de: "Rückruf am" } },
        },
        height: {
          type: "number",
          minimum: 0.5,
          maximum: 2.5,
          title: "Height in metres",
          examples: [1.72],
          ostiary: { titles: { de: "Größe in Metern" } },
        },
        employees: {
          type: "integer",
          minimum: 0,
          title: "Employees",
          ostiary: { titles: { de: "Beschäftigte" } },
        },
        website: { type: "string", format: "uri", title: "Website", examples: ["https://example.com"] },
        about: {
          type: "string",
          maxLength: 2000,
          title: "About you",
          description: "Others can read this.",
          ostiary: { titles: { de: "Über Sie" }, descriptions: { de: "Andere können das lesen." } },
        },
        plan: {
          title: "Plan",
          oneOf: [
            { const: "free", title: "Free of charge", ostiary: { titles: { de: "Kostenlos" } } },
            { const: "paid", title: "With support", ostiary: { titles: { de: "Mit Betreuung" } } },
          ],
          ostiary: { titles: { de: "Tarif" } },
        },
        channels: {
          type: "array",
          title: "How may we reach you?",
          items: {
            oneOf: [
              { const: "mail", title: "By email", ostiary: { titles: { de: "Per E-Mail" } } },
              { const: "sms", title: "By text message", ostiary: { titles: { de: "Per SMS" } } },
              { const: "post", title: "By post", ostiary: { titles: { de: "Per Post" } } },
            ],
          },
          uniqueItems: true,
          maxItems: 2,
          ostiary: { titles: { de: "Wie dürfen wir Sie erreichen?" } },
        },
        tags: {
          type: "array",
          title: "Interests",
          items: { type: "string" },
          ostiary: { titles: { de: "Interessen" } },
        },
        addresses: {
          type: "array",
          title: "Addresses",
          ostiary: { titles: { de: "Anschriften" } },
          items: {
            type: "object",
            properties: {
              street: {
                type: "string",
                title: "Street",
                ostiary: { titles: { de: "Straße" }, autocomplete: "street-address" },
              },
              city: {
                type: "string",
                title: "City",
                ostiary: { titles: { de: "Ort" }, autocomplete: "address-level2" },
              },
            },
            required: ["city"],
          },
        },
        payment: {
          type: "object",
          title: "Payment",
          ostiary: { titles: { de: "Zahlung" } },
          oneOf: [
            {
              title: "By invoice",
              ostiary: { titles: { de: "Auf Rechnung" } },
              properties: {
                kind: { const: "invoice" },
                reference: { type: "string", title: "Reference", ostiary: { titles: { de: "Zeichen" } } },
              },
              required: ["kind"],
            },
            {
              title: "By debit",
              ostiary: { titles: { de: "Per Lastschrift" } },
              properties: {
                kind: { const: "debit" },
                account: {
                  type: "string",
                  title: "Account",
                  minLength: 4,
                  ostiary: { titles: { de: "Konto" } },
                },
              },
              required: ["kind", "account"],
            },
          ],
          properties: { kind: { title: "Kind", ostiary: { titles: { de: "Art" } } } },
        },
        terms: {
          type: "boolean",
          const: true,
          title: "I agree to the terms of use.",
          ostiary: {
            titles: { de: "Ich stimme den Nutzungsbedingungen zu." },
            link: {
              url: "https://example.com/terms",
              urls: { de: "https://example.com/agb" },
              title: "Terms of use",
              titles: { de: "Nutzungsbedingungen" },
            },
          },
        },
        news: {
          type: "boolean",
          title: "Send me news",
          ostiary: { titles: { de: "Neuigkeiten zusenden" } },
        },
        customer: {
          type: "string",
          title: "Customer number",
          readOnly: true,
          ostiary: { titles: { de: "Kundennummer" } },
        },
        answer: {
          type: "string",
          title: "Your first pet",
          writeOnly: true,
          ostiary: { titles: { de: "Ihr erstes Haustier" } },
        },
      },
      required: ["email", "name", "terms"],
      additionalProperties: false,
    },
  },
];
