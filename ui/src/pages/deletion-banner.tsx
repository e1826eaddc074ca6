import { fillIn } from "@ostiary/sdk/form";
import type { JSX } from "react";
import { useState } from "react";
import { useWords } from "../language/index.ts";
import type { Route } from "../routes.ts";
import { keepInTab, keptInTab } from "../session-storage.ts";
import { useVisit } from "../visitor.ts";
import { DeletionChoice } from "./deletion-choice.tsx";

const storageKey = "ostiary.deletion-left";

/** On every page of somebody whose account will be deleted, until they decide. The settings say it by themselves. */
export function DeletionBanner({ route }: { readonly route: Route | undefined }): JSX.Element | null {
  const { locale, marked } = useWords();
  const { visitor } = useVisit();
  const [left, setLeft] = useState(() => keptInTab(storageKey));
  if (visitor.kind !== "somebody" || visitor.purgeTime === undefined || route === "settings") return null;
  const choice = choiceOf(visitor.identityId, visitor.purgeTime);
  if (left === choice) return null;
  return (
    <aside className="marked stack" aria-labelledby="marked">
      <p id="marked">{fillIn(marked.text, { time: visitor.purgeTime.toISOString() }, locale)}</p>
      <DeletionChoice
        leave={() => {
          keepInTab(storageKey, choice);
          setLeft(choice);
        }}
      />
    </aside>
  );
}

/** Remembers in this tab that the owner of an account leaves it to be deleted. */
export function leaveDeletion(identityId: string, purgeTime: Date): void {
  keepInTab(storageKey, choiceOf(identityId, purgeTime));
}

function choiceOf(identityId: string, purgeTime: Date): string {
  return `${identityId} ${purgeTime.getTime()}`;
}
