import { type JSX, type ReactNode, type RefObject, useEffect, useRef } from "react";
import { brandNameOf, useProfile } from "../tenant-profile.ts";

interface PageProps {
  readonly title: string;
  /** For those who move the focus to it. */
  readonly heading?: RefObject<HTMLHeadingElement | null> | undefined;
  readonly children: ReactNode;
}

/** The frame of a page: its heading, which is the title of the document as well, and what is below. */
export function Page({ title, heading, children }: PageProps): JSX.Element {
  const own = useRef<HTMLHeadingElement>(null);
  const reference = heading ?? own;
  const brand = brandNameOf(useProfile());
  useEffect(() => {
    document.title = brand === "" ? title : `${title} · ${brand}`;
  }, [title, brand]);
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
