import { forgetCarried } from "./carried.ts";
import { forgetErrand } from "./errand.ts";
import { leaveFor, redirect } from "./navigation.ts";
import { ostiary } from "./ostiary.ts";
import { useShownPerson } from "./shown-person.ts";
import { goToLogin, isSignedOut } from "./signed-out.ts";
import { useVisit } from "./visitor.ts";

/** The name of the person who is signed in; undefined where the page does not know of one. */
export function useSignedIn(): string | undefined {
  const { visitor } = useVisit();
  // A page of the account knows it before anything around it has asked.
  const found = useShownPerson();
  return found ?? (visitor.kind === "somebody" ? visitor.name : undefined);
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
