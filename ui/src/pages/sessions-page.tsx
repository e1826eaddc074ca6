import { fillIn } from "@ostiary/sdk/form";
import type { Session } from "@ostiary/sdk/v1/session";
import { type JSX, useRef, useState } from "react";
import { describeError } from "../describe-error.ts";
import { useWords } from "../language/index.ts";
import { ostiary } from "../ostiary.ts";
import { AccountPage } from "./account-page.tsx";
import { goToLogin, isSignedOut } from "./entry-page.tsx";
import { Failure } from "./failure.tsx";
import { Loading } from "./loading.tsx";
import { namesOf, SessionFacts } from "./session-facts.tsx";
import { useSessions } from "./use-sessions.ts";

/** The sessions of the visitor, and what can be done with them. */
export function SessionsPage(): JSX.Element {
  const words = useWords();
  const texts = words.sessions;
  const heading = useRef<HTMLHeadingElement>(null);
  const sessions = useSessions();
  const [news, setNews] = useState<{ readonly kind: "success" | "error"; readonly text: string }>();

  /** Does something, shows the list as it is then, and says what was done. */
  const perform = async (action: () => Promise<string>) => {
    try {
      const text = await action();
      await sessions.reload();
      setNews({ kind: "success", text });
    } catch (error) {
      if (isSignedOut(error)) return goToLogin(error);
      setNews({ kind: "error", text: describeError(error, words) });
    }
    // The button that was pressed may be gone; what has become of it is said in the messages below the heading.
    heading.current?.focus();
  };
  const extend = () =>
    perform(async () => {
      await ostiary.sessions.extendCurrentSession({});
      return texts.extended;
    });
  const revoke = (session: Session) =>
    perform(async () => {
      await ostiary.sessions.revokeOwnSession({ sessionId: session.id });
      return texts.revoked;
    });
  const revokeOthers = () =>
    perform(async () => {
      const { revokedCount } = await ostiary.sessions.revokeOtherSessions({});
      return fillIn(texts.othersRevoked, { count: revokedCount }) ?? texts.revoked;
    });
  const { state } = sessions;
  const frame = { title: texts.title, heading, current: "sessions" } as const;
  if (state.kind === "loading") {
    return (
      <AccountPage {...frame} name={undefined}>
        <Loading />
      </AccountPage>
    );
  }
  if (state.kind === "failed") {
    return (
      <AccountPage {...frame} name={undefined}>
        <Failure error={state.error} retry={sessions.reload} />
      </AccountPage>
    );
  }
  const { current, others, name, hasMore, otherIdentityShown } = state;
  const names = namesOf(others, words);
  return (
    <AccountPage {...frame} name={name}>
      {otherIdentityShown ? <p>{fillIn(texts.otherAccount, { name })}</p> : null}
      <div role="status" className="news">
        {news === undefined ? null : (
          <p className="ostiary-message" data-kind={news.kind}>
            {news.text}
          </p>
        )}
      </div>
      <section className="stack" aria-labelledby="current">
        <h2 id="current">{texts.current}</h2>
        <SessionFacts session={current} />
        <button type="button" className="ostiary-button" data-importance="secondary" onClick={extend}>
          {texts.extend}
        </button>
      </section>
      <section className="stack" aria-labelledby="others">
        <h2 id="others">{texts.others}</h2>
        {others.length === 0 ? <p className="quiet">{texts.none}</p> : null}
        <ul className="list">
          {others.map((session, index) => (
            <li key={session.id} className="stack">
              <SessionFacts
                session={session}
                end={{ name: names[index] ?? "", onPress: () => void revoke(session) }}
              />
            </li>
          ))}
        </ul>
        {hasMore ? (
          <button
            type="button"
            className="ostiary-button"
            data-importance="secondary"
            onClick={sessions.showMore}
          >
            {texts.more}
          </button>
        ) : null}
        {others.length === 0 ? null : (
          <button type="button" className="ostiary-button" data-importance="secondary" onClick={revokeOthers}>
            {texts.revokeOthers}
          </button>
        )}
      </section>
    </AccountPage>
  );
}
