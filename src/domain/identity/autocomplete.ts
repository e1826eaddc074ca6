/**
 * Whether a text is a value of the HTML attribute `autocomplete` (HTML, section 4.10.18.7) for what a person is: names, birthday,
 * addresses, organisation, telephone numbers. Also `off`. Not for passwords, codes and cards, which are no traits.
 */
export function isAutocomplete(text: string): boolean {
  if (text === "off") return true;
  const tokens = text.split(" ");
  if (/^section-[a-z0-9-]+$/.test(tokens[0] ?? "")) tokens.shift();
  if (tokens[0] === "shipping" || tokens[0] === "billing") tokens.shift();
  const isContact = contactKinds.has(tokens[0] ?? "");
  if (isContact) tokens.shift();
  const [field = "", ...more] = tokens;
  return more.length === 0 && (contactFields.has(field) || (!isContact && fields.has(field)));
}

const contactKinds = new Set(["home", "work", "mobile", "fax", "pager"]);

const contactFields = new Set(
  (
    "tel tel-country-code tel-national tel-area-code tel-local tel-local-prefix tel-local-suffix tel-extension " +
    "email impp"
  ).split(" "),
);

const fields = new Set(
  (
    "name honorific-prefix given-name additional-name family-name honorific-suffix nickname username " +
    "organization-title organization street-address address-line1 address-line2 address-line3 address-level1 " +
    "address-level2 address-level3 address-level4 country country-name postal-code language bday bday-day " +
    "bday-month bday-year sex url photo"
  ).split(" "),
);
