import { type JSX, useState } from "react";
import { describeError } from "../describe-error.ts";
import { useWords } from "../language/index.ts";
import { signOut, useSignedIn } from "../signed-in.ts";
import { PageLink } from "./page-link.tsx";

/** Who is signed in, with the way to their account and out of it. Nothing where nobody is, or where it is not known. */
export function SignedInAs(): JSX.Element | null {
  const words = useWords();
  const name = useSignedIn();
  const [problem, setProblem] = useState("");
  if (name === undefined) return null;
  const [before = "", after = ""] = words.sessions.signedInAs.split("{name}");
  const leave = () => {
    setProblem("");
    signOut().catch((error: unknown) => setProblem(describeError(error, words)));
  };
  return (
    <div className="signed-in">
      <p className="who">
        <span className="hidden">{before}</span>
        <PageLink to="settings">{name === "" ? words.area.title : name}</PageLink>
        <span className="hidden">{after}</span>
      </p>
      <button type="button" className="sign-out" onClick={leave}>
        {words.sessions.logOut}
      </button>
      <p role="alert" className={problem === "" ? undefined : "ostiary-error"}>
        {problem}
      </p>
    </div>
  );
}
