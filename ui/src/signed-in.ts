import { useEffect, useSyncExternalStore } from "react";
import { forgetCarried } from "./carried.ts";
import { forgetErrand } from "./errand.ts";
import { leaveFor, redirect } from "./navigation.ts";
import { ostiary } from "./ostiary.ts";
import { goToLogin, isSignedOut } from "./signed-out.ts";
import { useVisit } from "./visitor.ts";

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
  const { visitor } = useVisit();
  // A page of the account knows it before anything around it has asked.
  const found = useSyncExternalStore(subscribe, () => name);
  return found ?? (visitor.kind === "somebody" ? visitor.name : undefined);
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
    forgetErrand();
    forgetCarried();
    if (redirectUrl === "") redirect("login");
    else leaveFor(redirectUrl);
  } catch (error) {
    if (!isSignedOut(error)) throw error;
    goToLogin(error);
  }
}
