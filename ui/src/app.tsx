import type { JSX } from "react";
import { LanguageContext, languages, useLanguage, useWords } from "./language/index.ts";
import type { Words } from "./language/words.ts";
import { useMoves, useRoute, useSaid } from "./navigation.ts";
import { ActivityPage } from "./pages/activity-page.tsx";
import { Brand, DevelopmentNotice, PageFooter } from "./pages/around.tsx";
import { DeletionBanner } from "./pages/deletion-banner.tsx";
import { EntryPage } from "./pages/entry-page.tsx";
import { ExampleLoginPage } from "./pages/example-login-page.tsx";
import { FlowPage } from "./pages/flow-page.tsx";
import { LogoutPage } from "./pages/logout-page.tsx";
import { Page } from "./pages/page.tsx";
import { PageLink } from "./pages/page-link.tsx";
import { SessionsPage } from "./pages/sessions-page.tsx";
import { SignedInAs } from "./pages/signed-in-as.tsx";
import type { Route } from "./routes.ts";
import { ProfileContext, useLoadedProfile } from "./tenant-profile.ts";
import { useLoadedVisit, VisitContext } from "./visitor.ts";

/** The pages, and the language that they speak first. */
export function App({ language }: { readonly language: Words }): JSX.Element {
  const [words, chooseLanguage] = useLanguage(language);
  const route = useRoute();
  const moves = useMoves();
  const profile = useLoadedProfile();
  const visit = useLoadedVisit(route);
  const says = useSaid();
  return (
    <LanguageContext value={words}>
      <ProfileContext value={profile}>
        <VisitContext value={visit}>
          <header className="top">
            <Brand />
            <SignedInAs />
            <label>
              <span className="hidden">{words.language}</span>
              <select value={words.tag} onChange={(event) => chooseLanguage(event.target.value)}>
                {languages.map(({ tag, name }) => (
                  <option key={tag} value={tag} lang={tag}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          </header>
          <main>
            <DeletionBanner route={route} />
            {/* There from the beginning, so that what is written into it is read out. */}
            <div role="status" className="said">
              {says === undefined ? null : (
                <p className="ostiary-message" data-kind="success">
                  {words.said[says]}
                </p>
              )}
            </div>
            {route === undefined ? <NotFoundPage /> : <PageOf key={`${route} ${moves}`} route={route} />}
          </main>
          <DevelopmentNotice />
          <PageFooter />
        </VisitContext>
      </ProfileContext>
    </LanguageContext>
  );
}

function NotFoundPage(): JSX.Element {
  const { notFound } = useWords();
  return (
    <Page title={notFound.title}>
      <p>{notFound.text}</p>
      <p>
        <PageLink to="">{notFound.start}</PageLink>
      </p>
    </Page>
  );
}

function PageOf({ route }: { readonly route: Route }): JSX.Element {
  switch (route) {
    case "":
      return <EntryPage />;
    case "login":
    case "registration":
    case "verification":
    case "recovery":
    case "settings":
      return <FlowPage name={route} />;
    case "sessions":
      return <SessionsPage />;
    case "activity":
      return <ActivityPage />;
    case "logout":
      return <LogoutPage />;
    case "example-login":
      return <ExampleLoginPage />;
    default:
      return route satisfies never;
  }
}
