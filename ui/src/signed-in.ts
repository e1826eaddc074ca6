import { useEffect, useSyncExternalStore } from "react";
import { navigate } from "./navigation.ts";
import { ostiary } from "./ostiary.ts";
import { goToLogin, isSignedOut } from "./pages/entry-page.tsx";

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

/** The name of the person who is signed in; undefined where the page does not know of one. */
export function useSignedIn(): string | undefined {
  return useSyncExternalStore(subscribe, () => name);
}

/** Has the header say who is signed in, for as long as a page that has found it out is there. Undefined: it does not know. */
export function useShowSignedIn(found: string | undefined): void {
  useEffect(() => {
    show(found);
    return () => show(undefined);
  }, [found]);
}

/** Signs out. The provider that the visitor signed in with signs them out as well. Throws what the server refuses with. */
export async function signOut(): Promise<void> {
  try {
    const { redirectUrl } = await ostiary.sessions.logout({});
    if (redirectUrl !== "") window.location.assign(redirectUrl);
    else navigate("login");
  } catch (error) {
    if (!isSignedOut(error)) throw error;
    goToLogin(error);
  }
}
