import { fillIn } from "@ostiary/sdk/form";
import type { JSX } from "react";
import { useWords } from "../language/index.ts";
import { PageLink } from "./page-link.tsx";

/** How far the clock of a visitor may be behind; no period of grace is so short. */
const mostClockErrorMs = 15 * 60 * 1000;

/** Says when the account will be deleted, to somebody who is signed out by now. */
export function DeletionNotice({
  purgeTime,
  returnTo,
}: {
  readonly purgeTime: Date;
  readonly returnTo: string;
}): JSX.Element {
  const { locale, deletion: texts, login } = useWords();
  const isGone = purgeTime.getTime() < Date.now() + mostClockErrorMs;
  const said = isGone ? texts.deleted : fillIn(texts.scheduled, { time: purgeTime.toISOString() }, locale);
  return (
    <>
      <p role="status">
        {said} {isGone ? null : texts.keep}
      </p>
      <p className="aside">
        {returnTo === "" ? (
          <PageLink to="login">{login.title}</PageLink>
        ) : (
          // The server has compared the address with its list.
          <a href={returnTo}>{texts.goOn}</a>
        )}
      </p>
    </>
  );
}
