import { type JSX, useEffect, useState } from "react";
import { useWords } from "../language/index.ts";

/** Within this time nobody waits. */
const unnoticedMs = 400;

/** Says that a page is on its way, where that takes long enough to be noticed. */
export function Loading(): JSX.Element {
  const { form } = useWords();
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), unnoticedMs);
    return () => clearTimeout(timer);
  }, []);
  return (
    <p className="quiet loading" role="status">
      {isLate ? form.busy : ""}
    </p>
  );
}
