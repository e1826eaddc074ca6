import type { OutgoingHttp } from "../domain/ports.ts";

/**
 * The global fetch, which follows no redirects: what was configured is where things go. Ends after the time-out,
 * also while the answer is being read.
 */
export function createOutgoingHttp({ timeoutMs }: { readonly timeoutMs: number }): OutgoingHttp {
  return {
    fetch: (url, init) => {
      const timeout = AbortSignal.timeout(timeoutMs);
      const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
      return fetch(url, { ...init, redirect: "manual", signal });
    },
  };
}
