/** What this tab remembers, and forgets when it is closed. A browser that keeps nothing for this page throws; then nothing is remembered. */

/** Keeps a value as JSON. */
export function keepInTab(key: string, value: unknown): void {
  try {
    window.sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // What is not remembered is asked for once more.
  }
}

/** The value of a key, as far as anybody knows what it is; undefined if there is none. */
export function keptInTab(key: string): unknown {
  try {
    return JSON.parse(window.sessionStorage.getItem(key) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Forgets the value of a key. */
export function forgetInTab(key: string): void {
  try {
    window.sessionStorage.removeItem(key);
  } catch {
    // Nothing was kept.
  }
}
