import { ClientKind } from "@ostiary/sdk/v1/flow";
import { type JSX, type SubmitEvent, useState } from "react";
import { describeError } from "../describe-error.ts";
import { useWords } from "../language/index.ts";
import { navigate } from "../navigation.ts";
import { ostiary } from "../ostiary.ts";
import { Page } from "./page.tsx";

/**
 * A login form written by hand, as an example: it knows the fields of the step that it submits, and draws nothing
 * that the server sends. An expired flow needs no care here, because each submit begins a flow of its own.
 */
export function ExampleLoginPage(): JSX.Element {
  const words = useWords();
  const [problem, setProblem] = useState("");

  const logIn = async (data: FormData) => {
    const { flow } = await ostiary.login.createLoginFlow({ client: ClientKind.BROWSER });
    const { outcome } = await ostiary.login.submitLoginFlow({
      flowId: flow?.id ?? "",
      csrfToken: flow?.csrfToken ?? "",
      identifier: String(data.get("identifier")),
      step: { case: "password", value: { password: String(data.get("password")) } },
    });
    if (outcome.case === "completed") navigate("sessions");
    else setProblem(words.example.wrong);
  };
  const onSubmit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    setProblem("");
    logIn(new FormData(event.currentTarget)).catch((error: unknown) =>
      setProblem(describeError(error, words)),
    );
  };

  return (
    <Page title={words.login.title}>
      <form className="ostiary-form" onSubmit={onSubmit}>
        <div role="alert" className="ostiary-messages">
          {problem === "" ? null : (
            <p className="ostiary-message" data-kind="error">
              {problem}
            </p>
          )}
        </div>
        <div className="ostiary-field">
          <label className="ostiary-label" htmlFor="identifier">
            {words.example.identifier}
          </label>
          <input
            className="ostiary-input"
            id="identifier"
            name="identifier"
            type="email"
            autoComplete="username"
            required
          />
        </div>
        <div className="ostiary-field">
          <label className="ostiary-label" htmlFor="password">
            {words.example.password}
          </label>
          <input
            className="ostiary-input"
            id="password"
            name="password"
            type="password"
            autoComplete="current-password"
            required
          />
        </div>
        <button type="submit" className="ostiary-button" data-importance="primary">
          {words.example.submit}
        </button>
      </form>
    </Page>
  );
}
