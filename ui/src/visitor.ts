import { userMessageOf } from "@ostiary/sdk";
import { SessionView } from "@ostiary/sdk/v1/session";
import { createContext, useCallback, useContext, useEffect, useRef, useState } from "react";
import { forgetCarried } from "./carried.ts";
import { nameOf } from "./name-of.ts";
import { sessionsRemoved } from "./navigation.ts";
import { ostiary } from "./ostiary.ts";
import type { Route } from "./routes.ts";
import { shownPerson } from "./shown-person.ts";
import { isSignedOut } from "./signed-out.ts";

/** Whose browser this is, as far as it is known. */
export type Visitor =
  | { readonly kind: "unknown" }
  /** `sessionsRemoved`: the browser had several sessions at once, and none is left. */
  | { readonly kind: "nobody"; readonly sessionsRemoved: boolean }
  | {
      readonly kind: "somebody";
      readonly identityId: string;
      readonly name: string;
      /** Their address, for programs that keep passwords; empty if they have none. */
      readonly address: string;
      /** When the account will be deleted; undefined if it stays. */
      readonly purgeTime: Date | undefined;
    };

/** What pages know of the visitor. */
export interface Visit {
  readonly visitor: Visitor;
  /** Grows each time that a person comes back to the page, or that something has happened in another tab. */
  readonly returns: number;
  /** Asks the server who is signed in. Rejects only if it cannot be reached. */
  look(): Promise<Visitor>;
}

/** Passes the visit to the pages within. */
export const VisitContext = createContext<Visit>({
  visitor: { kind: "unknown" },
  returns: 0,
  look: async () => ({ kind: "unknown" }),
});

/** The visit from the context. */
export function useVisit(): Visit {
  return useContext(VisitContext);
}

/** The pages that ask by themselves, or show nothing of anybody. */
const unaware: ReadonlySet<Route | undefined> = new Set(["", "logout", "example-login", undefined] as const);

/**
 * The page itself asks first: of several calls at once only one is told why a browser with several sessions was signed out. Pages that need
 * to know before they are drawn ask at once.
 */
const afterThePageMs = 500;

/** A person who goes to and fro asks no more often than this. */
const leastBetweenMs = 1000;

/** Other tabs of these pages are told by its name alone that something has changed; nothing of it is said. */
const channelName = "ostiary";

/** Asks who is signed in whenever a page is shown, and again when a person comes back to it. */
export function useLoadedVisit(route: Route | undefined): Visit {
  const [visitor, setVisitor] = useState<Visitor>({ kind: "unknown" });
  const [returns, setReturns] = useState(0);
  const known = useRef<Visitor>(visitor);
  const channel = useRef<BroadcastChannel>(undefined);
  const asked = useRef<Promise<Visitor>>(undefined);
  const look = useCallback(() => {
    const answer = async () => {
      const found = await askWho();
      const former = known.current;
      const isSame = isSameVisitor(former, found);
      // That sessions were removed is told once; what there is to say of it stays.
      if (isSame || (former.kind === "nobody" && found.kind === "nobody")) return former;
      known.current = found;
      forgetCarried();
      setVisitor(found);
      channel.current?.postMessage("changed");
      return found;
    };
    // A page and what is around it ask at the same moment.
    asked.current ??= answer().finally(() => {
      asked.current = undefined;
    });
    return asked.current;
  }, []);
  useEffect(() => {
    if (unaware.has(route)) return undefined;
    // Who it is stays unknown where the server cannot be reached: the page itself says that then.
    const timer = setTimeout(() => void look().catch(() => {}), afterThePageMs);
    return () => clearTimeout(timer);
  }, [route, look]);
  useEffect(() => {
    let last = Number.NEGATIVE_INFINITY;
    let later: ReturnType<typeof setTimeout> | undefined;
    const comeBack = () => {
      clearTimeout(later);
      if (document.visibilityState === "hidden") return;
      const tooEarlyMs = last + leastBetweenMs - performance.now();
      // What happened since the last look is seen all the same.
      if (tooEarlyMs > 0) {
        later = setTimeout(comeBack, tooEarlyMs);
        return;
      }
      last = performance.now();
      setReturns((count) => count + 1);
      if (known.current.kind !== "unknown") void look().catch(() => {});
    };
    const stop = [
      onEvent(document, "visibilitychange", comeBack),
      onEvent(window, "focus", comeBack),
      hideFromLaterVisitors(async () => {
        const former = known.current;
        // Whose data is shown is not known before the first answer, which may be newer than the page.
        return former.kind === "somebody"
          ? isSameVisitor(former, await look())
          : former.kind === "nobody" && shownPerson() === undefined;
      }),
    ];
    if ("BroadcastChannel" in window) {
      channel.current = new BroadcastChannel(channelName);
      channel.current.onmessage = () => {
        last = Number.NEGATIVE_INFINITY;
        comeBack();
      };
    }
    return () => {
      clearTimeout(later);
      for (const each of stop) each();
      channel.current?.close();
    };
  }, [look]);
  return { visitor, returns, look };
}

async function askWho(): Promise<Visitor> {
  try {
    const { identity } = await ostiary.sessions.getCurrentSession({ view: SessionView.FULL });
    const { purgeTime } = identity ?? {};
    return {
      kind: "somebody",
      identityId: identity?.id ?? "",
      name: nameOf(identity),
      address: (identity?.addresses.find(({ primary }) => primary) ?? identity?.addresses[0])?.value ?? "",
      purgeTime: purgeTime && new Date(Number(purgeTime.seconds) * 1000),
    };
  } catch (error) {
    if (!isSignedOut(error)) throw error;
    return { kind: "nobody", sessionsRemoved: userMessageOf(error)?.id === sessionsRemoved };
  }
}

function isSameVisitor(one: Visitor, other: Visitor): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/**
 * Hides the page when it is left, and shows it again once `isSame` says that it is of the same person still; else it is loaded anew. A browser may keep the page
 * as it was, and show it to the next person who presses the back button.
 *
 * Security rule (SR-PAGES-8): nobody sees what was shown to a person who has signed out since.
 */
function hideFromLaterVisitors(isSame: () => Promise<boolean>): () => void {
  const shown = document.getElementById("app");
  const setHidden = (hidden: boolean) => {
    if (shown !== null) shown.hidden = hidden;
  };
  const stop = [
    onEvent(window, "pagehide", () => setHidden(true)),
    onEvent(window, "pageshow", (event) => {
      const isKept = event instanceof PageTransitionEvent && event.persisted;
      // A page that cannot ask is loaded anew, and asks then.
      if (isKept)
        isSame().then(
          (same) => (same ? setHidden(false) : window.location.reload()),
          () => window.location.reload(),
        );
    }),
  ];
  return () => {
    for (const each of stop) each();
  };
}

function onEvent(target: EventTarget, name: string, listener: (event: Event) => void): () => void {
  target.addEventListener(name, listener);
  return () => target.removeEventListener(name, listener);
}
