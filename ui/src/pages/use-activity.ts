import type { LoginRecord } from "@ostiary/sdk/v1/identity";
import { SessionView } from "@ostiary/sdk/v1/session";
import { useCallback, useEffect, useState } from "react";
import { nameOf } from "../name-of.ts";
import { ostiary } from "../ostiary.ts";
import { goToLogin, isSignedOut } from "./entry-page.tsx";

/** What is known of the visitor's login history. */
export type ActivityState =
  | { readonly kind: "loading" }
  | { readonly kind: "failed"; readonly error: unknown }
  | {
      readonly kind: "loaded";
      /** Who is signed in. */
      readonly name: string;
      /** The session that is under way. */
      readonly sessionId: string;
      readonly records: readonly LoginRecord[];
      /** Empty: there are no more. */
      readonly nextPageToken: string;
    };

const pageSize = 20;

/** The login history of the visitor; one who is not signed in is sent to the login. */
export function useActivity(): {
  readonly state: ActivityState;
  retry(): void;
  showMore(): Promise<void>;
} {
  const [state, setState] = useState<ActivityState>({ kind: "loading" });
  const fail = useCallback((error: unknown) => {
    if (isSignedOut(error)) goToLogin(error);
    else setState({ kind: "failed", error });
  }, []);
  const retry = useCallback(() => {
    setState({ kind: "loading" });
    load().then(setState, fail);
  }, [fail]);
  useEffect(retry, [retry]);
  const showMore = async () => {
    if (state.kind !== "loaded") return;
    try {
      const { records, nextPageToken } = await ostiary.sessions.listOwnLoginHistory({
        pageSize,
        pageToken: state.nextPageToken,
      });
      setState({ ...state, records: [...state.records, ...records], nextPageToken });
    } catch (error) {
      fail(error);
    }
  };
  return { state, retry, showMore };
}

async function load(): Promise<ActivityState> {
  const [{ session, identity }, { records, nextPageToken }] = await Promise.all([
    ostiary.sessions.getCurrentSession({ view: SessionView.FULL }),
    ostiary.sessions.listOwnLoginHistory({ pageSize }),
  ]);
  return { kind: "loaded", name: nameOf(identity), sessionId: session?.id ?? "", records, nextPageToken };
}
