import { reasonOf, userMessageOf } from "@ostiary/sdk";
import { type JSX, useEffect, useState } from "react";
import { useWords } from "../language/index.ts";
import { navigate, navigateToLogin, sessionsRemoved } from "../navigation.ts";
import { ostiary } from "../ostiary.ts";
import { Failure } from "./failure.tsx";
import { Loading } from "./loading.tsx";
import { Page } from "./page.tsx";

/** The door: to the sessions for somebody who is signed in, and to the login for everyone else. */
export function EntryPage(): JSX.Element | null {
  const words = useWords();
  const [failure, setFailure] = useState<unknown>();
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt asks again
  useEffect(() => {
    setFailure(undefined);
    ostiary.sessions.getCurrentSession({}).then(
      () => navigate("sessions"),
      (error: unknown) => (isSignedOut(error) ? goToLogin(error) : setFailure(error)),
    );
  }, [attempt]);
  if (failure === undefined) return <Loading />;
  return (
    <Page title={words.login.title}>
      <Failure error={failure} retry={() => setAttempt(attempt + 1)} />
    </Page>
  );
}

/** Whether a call was refused because nobody is signed in, or not any more. */
export function isSignedOut(error: unknown): boolean {
  return reasonOf(error)?.startsWith("SESSION_") ?? false;
}

/** To the login of somebody whose call was refused so. Why is only said where signing in again could seem in vain. */
export function goToLogin(error: unknown): void {
  const removed = userMessageOf(error)?.id === sessionsRemoved;
  navigateToLogin(removed ? { signedOutBy: sessionsRemoved } : undefined);
}
