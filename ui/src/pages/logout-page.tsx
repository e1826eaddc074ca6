import { type JSX, useState } from "react";
import { describeError } from "../describe-error.ts";
import { useWords } from "../language/index.ts";
import { logoutChallengeInAddress, navigate } from "../navigation.ts";
import { ostiary } from "../ostiary.ts";
import { Page } from "./page.tsx";

/**
 * Asks before it signs out: anybody can lead a browser here. An OAuth2 server does so with a logout request, which is answered then.
 */
export function LogoutPage(): JSX.Element {
  const words = useWords();
  const { title, question, confirm } = words.logout;
  const [problem, setProblem] = useState("");

  const logOut = async () => {
    try {
      const logoutChallenge = logoutChallengeInAddress() ?? "";
      const { redirectUrl } = await ostiary.sessions.logout({ logoutChallenge });
      if (redirectUrl === "") navigate("login");
      else window.location.assign(redirectUrl);
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
      <p>{question}</p>
      <button type="button" className="ostiary-button" data-importance="primary" onClick={logOut}>
        {confirm}
      </button>
    </Page>
  );
}
