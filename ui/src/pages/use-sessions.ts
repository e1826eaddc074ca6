import { type Session, SessionView } from "@ostiary/sdk/v1/session";
import { useCallback, useEffect, useState } from "react";
import { nameOf } from "../name-of.ts";
import { ostiary } from "../ostiary.ts";
import { goToLogin, isSignedOut } from "./entry-page.tsx";

/** What is known of the visitor's sessions. */
export type SessionsState =
  | { readonly kind: "loading" }
  | { readonly kind: "failed"; readonly error: unknown }
  | {
      readonly kind: "loaded";
      readonly name: string;
      readonly current: Session;
      readonly others: readonly Session[];
      readonly hasMore: boolean;
      /** Whether the browser was used by somebody else, or somebody may have planted what it is signed in by. */
      readonly otherIdentityShown: boolean;
    };

const pageSize = 10;

/** The sessions of the visitor; one who is not signed in is sent to the login. */
export function useSessions(): {
  readonly state: SessionsState;
  reload(): Promise<void>;
  showMore(): void;
} {
  const [state, setState] = useState<SessionsState>({ kind: "loading" });
  const [wanted, setWanted] = useState(pageSize);
  const reload = useCallback(async () => {
    try {
      setState(await load(wanted));
    } catch (error) {
      if (isSignedOut(error)) goToLogin(error);
      else setState({ kind: "failed", error });
    }
  }, [wanted]);
  useEffect(() => void reload(), [reload]);
  return { state, reload, showMore: () => setWanted(wanted + pageSize) };
}

async function load(wanted: number): Promise<SessionsState> {
  const [{ session, identity, otherIdentityShown }, { sessions, nextPageToken }] = await Promise.all([
    ostiary.sessions.getCurrentSession({ view: SessionView.FULL }),
    ostiary.sessions.listOwnSessions({ pageSize: wanted }),
  ]);
  if (session === undefined) throw new Error("the server answered without a session");
  return {
    kind: "loaded",
    name: nameOf(identity),
    current: session,
    others: sessions.filter(({ current }) => !current),
    hasMore: nextPageToken !== "",
    otherIdentityShown,
  };
}
