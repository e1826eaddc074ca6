import type { JSX } from "react";
import { useShowPerson } from "../shown-person.ts";
import { AccountNav, type AccountRoute, type PageSection } from "./account-nav.tsx";
import { Page, type PageProps } from "./page.tsx";

interface AccountPageProps extends PageProps {
  readonly current: AccountRoute;
  /** Who is signed in; undefined while it is not known. */
  readonly name: string | undefined;
  /** Default: none to go to. */
  readonly sections?: readonly PageSection[] | undefined;
}

/** A page of somebody who is signed in, beside what leads to the other ones. */
export function AccountPage({ current, name, sections = [], ...page }: AccountPageProps): JSX.Element {
  useShowPerson(name);
  return (
    <div className="account">
      <AccountNav current={current} sections={sections} />
      <Page {...page} />
    </div>
  );
}
