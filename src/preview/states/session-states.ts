import type { PreviewState } from "../preview-state.ts";
import type { Samples } from "../samples.ts";

/** The states of the pages that draw no flow. */
export function sessionStates(samples: Samples): readonly PreviewState[] {
  const state = (
    name: string,
    title: string,
    count: number,
    change: {
      readonly page?: "sessions" | "activity";
      readonly logins?: number;
      readonly hasMore?: boolean;
      readonly otherIdentityShown?: boolean;
      readonly isLong?: boolean;
    } = {},
  ): PreviewState => {
    const { page = "sessions", logins = 7, isLong = false } = change;
    const { hasMore = false, otherIdentityShown = false } = change;
    const sessions = () => ({
      identity: isLong ? samples.longPerson() : samples.person(),
      sessions: samples.sessions(count),
      hasMore,
      otherIdentityShown,
      logins: samples.logins(logins),
    });
    return { name: `${page}/${name}`, page, title, shows: { kind: "sessions", sessions } };
  };
  const signedOut = { kind: "signed_out" } as const;
  return [
    state("one", "This device alone", 1),
    state("several", "Several devices", 4),
    state("many", "More devices than are shown at once", 10, { hasMore: true }),
    state("other-account", "The browser was used by somebody else", 2, { otherIdentityShown: true }),
    state("long", "A long name", 2, { isLong: true }),
    { name: "sessions/signed-out", page: "sessions", title: "Nobody is signed in", shows: signedOut },
    state("several", "Logins, and attempts at one", 3, { page: "activity" }),
    state("many", "More logins than are shown at once", 3, { page: "activity", logins: 30 }),
    state("none", "An account that nobody has signed in to", 1, { page: "activity", logins: 0 }),
    { name: "pages/entry", page: "", title: "The door, with nobody signed in", shows: signedOut },
    { name: "pages/logout", page: "logout", title: "The question before signing out", shows: signedOut },
    {
      name: "pages/example-login",
      page: "example-login",
      title: "The login form written by hand",
      shows: signedOut,
    },
  ];
}
