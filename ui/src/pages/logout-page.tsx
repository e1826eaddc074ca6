import { type JSX, useState } from "react";
import { forgetCarried } from "../carried.ts";
import { describeError } from "../describe-error.ts";
import { forgetErrand } from "../errand.ts";
import { useWords } from "../language/index.ts";
import { leaveFor, logoutChallengeInAddress, redirect } from "../navigation.ts";
import { ostiary } from "../ostiary.ts";
import { Page } from "./page.tsx";

/**
 * Asks before it signs out: anybody can lead a browser here. An OAuth2 server does so with a logout request, which is answered then. Those
 * who stay signed in go on to their account, and the request ends by itself.
 */
export function LogoutPage(): JSX.Element {
  const words = useWords();
  const { title, question, confirm, stay } = words.logout;
  const [problem, setProblem] = useState("");

  const logOut = async () => {
    try {
      const logoutChallenge = logoutChallengeInAddress() ?? "";
      const { redirectUrl } = await ostiary.sessions.logout({ logoutChallenge });
      forgetErrand();
      forgetCarried();
      if (redirectUrl === "") redirect("login");
      else leaveFor(redirectUrl);
    } catch (error) {
      setProblem(describeError(error, words));
    }
  };

  return (
    <Page title={title}>
      <div role="alert" className="ostiary-messages">
        {problem === "" ? null : (
          <p className="ostiary-message" data-kind="error">
            {problem}
          </p>
        )}
      </div>
      <div className="stack">
        <p>{question}</p>
        <button type="button" className="ostiary-button" data-importance="primary" onClick={logOut}>
          {confirm}
        </button>
        <button
          type="button"
          className="ostiary-button"
          data-importance="secondary"
          onClick={() => redirect("")}
        >
          {stay}
        </button>
      </div>
    </Page>
  );
}
