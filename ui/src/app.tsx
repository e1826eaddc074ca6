import type { JSX } from "react";
import { LanguageContext, languages, useLanguage, useWords } from "./language/index.ts";
import type { Words } from "./language/words.ts";
import { useRoute } from "./navigation.ts";
import { ActivityPage } from "./pages/activity-page.tsx";
import { EntryPage } from "./pages/entry-page.tsx";
import { ExampleLoginPage } from "./pages/example-login-page.tsx";
import { FlowPage } from "./pages/flow-page.tsx";
import { LogoutPage } from "./pages/logout-page.tsx";
import { Page } from "./pages/page.tsx";
import { SessionsPage } from "./pages/sessions-page.tsx";
import { SignedInAs } from "./pages/signed-in-as.tsx";
import type { Route } from "./routes.ts";
import { brandNameOf, ProfileContext, useLoadedProfile } from "./tenant-profile.ts";

/** The pages, and the language that they speak first. */
export function App({ language }: { readonly language: Words }): JSX.Element {
  const [words, chooseLanguage] = useLanguage(language);
  const route = useRoute();
  const profile = useLoadedProfile();
  return (
    <LanguageContext value={words}>
      <ProfileContext value={profile}>
        <header className="top">
          <p className="brand">{brandNameOf(profile)}</p>
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
        <main>{route === undefined ? <NotFoundPage /> : <PageOf key={route} route={route} />}</main>
      </ProfileContext>
    </LanguageContext>
  );
}

function NotFoundPage(): JSX.Element {
  const { notFound } = useWords();
  return (
    <Page title={notFound.title}>
      <p>{notFound.text}</p>
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
