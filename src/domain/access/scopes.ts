/**
 * Whether one of the scopes a caller has includes the scope that is needed. A scope is `service:verb`; `service:*`
 * includes all verbs of a service, `*` everything. Nothing else is a wildcard.
 */
export function scopeAllows(granted: readonly string[], needed: string): boolean {
  for (const scope of granted) {
    if (scope === needed || scope === "*") return true;
    // Compared with the colon, so that `identity:*` says nothing about `identity_schema:read`.
    if (scope.endsWith(":*") && needed.startsWith(scope.slice(0, -1))) return true;
  }
  return false;
}

/**
 * The first of the asked scopes that the granted ones do not include; undefined if they include all. An asked
 * wildcard is only included by a wildcard at least as wide: every single verb together is less than `service:*`,
 * which also holds verbs that do not exist yet.
 */
export function scopesExceeding(granted: readonly string[], asked: readonly string[]): string | undefined {
  return asked.find((scope) => !scopeAllows(granted, scope));
}
