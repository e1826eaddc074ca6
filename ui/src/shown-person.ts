import { useEffect, useSyncExternalStore } from "react";

let name: string | undefined;
const listeners = new Set<() => void>();

function show(next: string | undefined): void {
  if (next === name) return;
  name = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The name of the person whose account is shown; undefined where none is. */
export function shownPerson(): string | undefined {
  return name;
}

/** The name of the person whose account is shown; undefined where none is. */
export function useShownPerson(): string | undefined {
  return useSyncExternalStore(subscribe, shownPerson);
}

/** Says whose account a page shows, for as long as it is there. Undefined: it does not know. */
export function useShowPerson(found: string | undefined): void {
  useEffect(() => {
    show(found);
    return () => show(undefined);
  }, [found]);
}
