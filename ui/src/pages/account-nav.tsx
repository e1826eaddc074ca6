import type { JSX, MouseEvent } from "react";
import { useWords } from "../language/index.ts";
import type { Route } from "../routes.ts";
import { PageLink } from "./page-link.tsx";

/** The pages of an account. */
export type AccountRoute = Extract<Route, "settings" | "sessions" | "activity">;

/** A section of the page that is shown. */
export interface PageSection {
  readonly title: string;
  /** The id of its heading. */
  readonly headingId: string;
}

interface AccountNavProps {
  readonly current: AccountRoute;
  readonly sections: readonly PageSection[];
}

/** Leads from each page of an account to the others, and to the sections of the one that is shown. */
export function AccountNav({ current, sections }: AccountNavProps): JSX.Element {
  const { area } = useWords();
  const pages: readonly (readonly [AccountRoute, string])[] = [
    ["settings", area.settings],
    ["sessions", area.devices],
    ["activity", area.activity],
  ];
  return (
    <nav className="account-nav" aria-label={area.title}>
      <ul>
        {pages.map(([to, label]) => (
          <li key={to}>
            <PageLink to={to} current={to === current}>
              {label}
            </PageLink>
          </li>
        ))}
      </ul>
      {sections.length < 2 ? null : (
        // Beside the page there is room for them; above it they are opened.
        <details className="sections" open={window.matchMedia("(min-width: 60rem)").matches}>
          <summary>{area.onThisPage}</summary>
          <ul>
            {sections.map(({ title, headingId }) => (
              <li key={headingId}>
                <a href={`#${headingId}`} onClick={(event) => goToHeading(event, headingId)}>
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </details>
      )}
    </nav>
  );
}

/** The fragment of the address belongs to the flow, so the heading is gone to without it. */
function goToHeading(event: MouseEvent, headingId: string): void {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const heading = document.getElementById(headingId);
  heading?.scrollIntoView();
  heading?.focus({ preventScroll: true });
}
