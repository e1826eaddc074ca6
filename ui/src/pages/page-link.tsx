import type { JSX, MouseEvent, ReactNode } from "react";
import { linkTo, navigate } from "../navigation.ts";
import type { Route } from "../routes.ts";

/** A link to another page, which is not loaded anew. */
export function PageLink({
  to,
  current = false,
  children,
}: {
  readonly to: Route;
  /** Whether it leads to the page that is shown. Default: elsewhere. */
  readonly current?: boolean | undefined;
  readonly children: ReactNode;
}): JSX.Element {
  const follow = (event: MouseEvent) => {
    // A new tab or window is the browser's business.
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a href={linkTo(to)} aria-current={current ? "page" : undefined} onClick={follow}>
      {children}
    </a>
  );
}
