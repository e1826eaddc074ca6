import { readFile } from "node:fs/promises";
import { joinFieldPath } from "../domain/field-path.ts";
import { isObject, type JsonObject, type JsonValue, valueAt } from "../domain/json.ts";
import type { ClaimsMapping } from "../domain/provider/mapping.ts";
import { type CommandContext, type CommandOptions, loadFrom } from "./context.ts";
import { UserError } from "./describe-failure.ts";

/** The most bytes of claims that are read; a login takes fewer. */
const maxBytes = 1024 * 1024;

/**
 * `ostiary providers map`: what a provider's claims would become, a line for each expression. Talks to nobody and changes
 * nothing.
 */
export async function mapClaims(options: CommandOptions, context: CommandContext): Promise<void> {
  const { providers } = loadFrom(options, context);
  const provider = providers.find(({ id }) => id === options.provider);
  if (provider === undefined) {
    const ids = providers.map(({ id }) => id);
    const there = ids.length === 0 ? "tenant_defaults.oidc.providers has none" : `there is ${ids.join(", ")}`;
    throw new UserError(`there is no provider ${String(options.provider)}; ${there}`);
  }
  const file = typeof options.claims === "string" ? options.claims : undefined;
  const text = file === undefined ? await context.readInput(maxBytes) : await readFile(file, "utf8");
  for (const line of explainedLines(provider.mapping, claimsIn(text, file ?? "standard input"))) {
    context.print(line);
  }
}

function claimsIn(text: string, source: string): JsonObject {
  const wanted = "claims are a JSON object, such as the payload of an ID token";
  if (text.length > maxBytes) throw new UserError(`${source} has more than ${maxBytes} bytes; ${wanted}`);
  try {
    const claims: JsonValue = JSON.parse(text);
    if (isObject(claims)) return claims;
  } catch {
    // The parser's words would show a part of the claims.
  }
  throw new UserError(`${source} has no JSON object; ${wanted}`);
}

function explainedLines(mapping: ClaimsMapping, claims: JsonObject): readonly string[] {
  const { mapped, leftOut, ignoredClaims } = mapping.explain(claims);
  const { expressions } = mapping;
  const reasons = new Map(leftOut.map(({ path, reason }) => [path, reason]));
  const line = (path: readonly string[], value: JsonValue | undefined): readonly [string, string] => {
    const name = joinFieldPath(path);
    const reason = reasons.get(name);
    return [name, reason === undefined ? JSON.stringify(value) : `left out: ${reason}`];
  };
  const group = (name: string, written: JsonObject, made: JsonObject) =>
    leavesOf(written).map((path) => line([name, ...path], valueAt(made, path)));
  const rows = [
    ...group("traits", expressions.traits, mapped.traits),
    ...(expressions.verifiedAddresses === ""
      ? []
      : [line(["verified_addresses"], [...mapped.verifiedAddresses])]),
    ...group("public_metadata", expressions.publicMetadata, mapped.publicMetadata),
    ...group("admin_metadata", expressions.adminMetadata, mapped.adminMetadata),
    ...(expressions.account === "" ? [] : [line(["account"], mapped.account)]),
    ...ignoredClaims.map(({ path, reason }) => [`claims.${path}`, `ignored: ${reason}`] as const),
  ];
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
}

/** The places of the expressions in a map of them. */
function leavesOf(map: JsonObject): readonly (readonly string[])[] {
  return Object.keys(map).flatMap((name) => {
    const value = map[name];
    return isObject(value) ? leavesOf(value).map((path) => [name, ...path]) : [[name]];
  });
}
