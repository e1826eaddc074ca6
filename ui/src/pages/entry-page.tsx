import { type JSX, useEffect, useState } from "react";
import { useWords } from "../language/index.ts";
import { redirect } from "../navigation.ts";
import { ostiary } from "../ostiary.ts";
import { goToLogin, isSignedOut } from "../signed-out.ts";
import { Failure } from "./failure.tsx";
import { Loading } from "./loading.tsx";
import { Page } from "./page.tsx";

export { goToLogin, isSignedOut } from "../signed-out.ts";

/** The door: to the sessions for somebody who is signed in, and to the login for everyone else. */
export function EntryPage(): JSX.Element {
  const words = useWords();
  const [failure, setFailure] = useState<unknown>();
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt asks again
  useEffect(() => {
    setFailure(undefined);
    ostiary.sessions.getCurrentSession({}).then(
      () => redirect("sessions"),
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
