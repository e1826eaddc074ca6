import { fillIn } from "@ostiary/sdk/form";
import { type JSX, type ReactNode, type RefObject, useEffect, useRef } from "react";
import { useWords } from "../language/index.ts";
import { brandNameOf, useProfile } from "../tenant-profile.ts";

/** What a page is framed with. */
export interface PageProps {
  readonly title: string;
  /** For those who move the focus to it. */
  readonly heading?: RefObject<HTMLHeadingElement | null> | undefined;
  /** Whether something is wrong with what was filled in; the title of the document begins with that. Default: nothing is. */
  readonly hasErrors?: boolean | undefined;
  readonly children: ReactNode;
}

/** The frame of a page: its heading, which is the title of the document as well, and what is below. */
export function Page({ title, heading, hasErrors = false, children }: PageProps): JSX.Element {
  const own = useRef<HTMLHeadingElement>(null);
  const reference = heading ?? own;
  const { area } = useWords();
  const brand = brandNameOf(useProfile());
  useEffect(() => {
    const said = hasErrors ? (fillIn(area.wrong, { title }) ?? title) : title;
    document.title = brand === "" ? said : `${said} · ${brand}`;
  }, [title, brand, hasErrors, area.wrong]);
  useEffect(() => {
    // A page that follows another one is announced by its heading; the first one is announced by the browser.
    if (pagesShown > 0) reference.current?.focus();
    pagesShown += 1;
  }, [reference]);
  return (
    <div className="page">
      <h1 ref={reference} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </div>
  );
}

let pagesShown = 0;
