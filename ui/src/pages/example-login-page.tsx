import { optionsIn } from "@ostiary/sdk/form";
import { ClientKind } from "@ostiary/sdk/v1/flow";
import { type JSX, type SubmitEvent, useState } from "react";
import { describeError } from "../describe-error.ts";
import { useWords } from "../language/index.ts";
import { navigate } from "../navigation.ts";
import { ostiary } from "../ostiary.ts";
import { Page } from "./page.tsx";

/**
 * A login form written by hand, as an example: it knows the fields of the step that it submits, and draws nothing
 * that the server sends. Its words are those of the catalogues, by the numbers of docs/texts.md. An expired flow needs no care here,
 * because each submit begins a flow of its own.
 */
export function ExampleLoginPage(): JSX.Element {
  const words = useWords();
  const [problem, setProblem] = useState("");
  const options = optionsIn(words, words.locale);
  const say = (id: number, text: string, context = {}) => options.translate?.({ id, text, context }) ?? text;

  const logIn = async (data: FormData) => {
    const { flow } = await ostiary.login.createLoginFlow({ client: ClientKind.BROWSER });
    const { outcome } = await ostiary.login.submitLoginFlow({
      flowId: flow?.id ?? "",
      csrfToken: flow?.csrfToken ?? "",
      identifier: String(data.get("identifier")),
      step: { case: "password", value: { password: String(data.get("password")) } },
    });
    if (outcome.case === "completed") navigate("sessions");
    else setProblem(say(4000006, "Those sign-in details aren't right."));
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
      {/* Posted: a script that sends the form past `onSubmit` puts no password into the address. */}
      <form className="ostiary-form" method="post" onSubmit={onSubmit}>
        <div role="alert" className="ostiary-messages">
          {problem === "" ? null : (
            <p className="ostiary-message" data-kind="error">
              {problem}
            </p>
          )}
        </div>
        <div className="ostiary-field">
          <label className="ostiary-label" htmlFor="identifier">
            {say(1070002, "Email", { title: "Email" })}
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
            {say(1070001, "Password")}
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
          {words.login.title}
        </button>
      </form>
    </Page>
  );
}
