import { type JSX, useEffect, useState } from "react";
import { useWords } from "../language/index.ts";

/** How long nothing is said: most pages are there by then, and a word that flashes up is worse than none. */
const patienceMs = 300;

/** Says that the page is on its way, once that takes longer than an instant. */
export function Loading(): JSX.Element {
  const { form } = useWords();
  const [isLong, setLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), patienceMs);
    return () => clearTimeout(timer);
  }, []);
  // The element is there from the start, so that screen readers notice what comes into it.
  return (
    <p role="status" className="loading">
      {isLong ? form.busy : ""}
    </p>
  );
}
