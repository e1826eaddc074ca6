import { choicesOf, configKeys, variableOf } from "./keys.ts";

/** Keys of earlier versions, and the key or section that replaces each. */
const formerKeys: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "tenant_defaults.flows.registration.enabled": "tenant_defaults.flows.registration.mode",
    "tenant_defaults.flows.registration.invitation_required": "tenant_defaults.flows.registration.mode",
    "tenant_defaults.courier.smtp": "tenant_defaults.courier.email.smtp",
    "tenant_defaults.courier.http": "tenant_defaults.courier.email.http",
    "tenant_defaults.courier.sms.url": "tenant_defaults.courier.sms.http.url",
    "tenant_defaults.courier.sms.signing_secrets": "tenant_defaults.courier.sms.http.signing_secrets",
    "tenant_defaults.courier.sms.timeout": "tenant_defaults.courier.sms.http.timeout",
    "tenant_defaults.courier.from_name": "tenant_defaults.branding.name",
  }),
);

/** The replacement of a key of an earlier version, with the values that it takes; undefined if there was no such key. */
export function insteadOfFormerKey(path: string): string | undefined {
  const now = formerKeys.get(path);
  if (now === undefined) return undefined;
  const key = configKeys.find((candidate) => candidate.path === now);
  if (key === undefined) throw new Error(`${path} was replaced by ${now}, which is no key`);
  if (key.field.enum === undefined) return now;
  return `${now} (${choicesOf(key.field)
    .map(({ word }) => word)
    .join(", ")})`;
}

/** The same for a variable, also if its key is below a section that has moved. */
export function insteadOfFormerVariable(name: string): string | undefined {
  for (const [before, now] of formerKeys) {
    const [oldName, newName] = [variableOf(before), variableOf(now)];
    if (name === oldName) return newName;
    const below = `${newName}${name.slice(oldName.length)}`;
    if (name.startsWith(`${oldName}_`) && configKeys.some(({ variable }) => variable === below)) return below;
  }
  return undefined;
}
