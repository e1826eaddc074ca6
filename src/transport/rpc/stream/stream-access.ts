import type { Call } from "../call.ts";
import type { Pipeline } from "../pipeline.ts";
import type { Route } from "../routes.ts";

/**
 * Checks the permission of an open stream at each interval, and calls back once it is gone, or cannot be checked. Returns a
 * function that ends the watch.
 *
 * Security rule (SR-ACCESS-6): a stream does not outlive what opened it. A key that is revoked, a session or certificate that ends, stops
 * the stream within the interval.
 */
export function watchAccess(
  pipeline: Pick<Pipeline, "admitAgain">,
  call: Call,
  route: Route,
  intervalMs: number,
  onEnd: (error: unknown) => void,
): () => void {
  // A stream without a credential has no permission that could end.
  if (route.access.kind !== "api_key" && route.access.kind !== "session") return () => {};
  let watching = true;
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    try {
      await pipeline.admitAgain(call, route);
      if (watching) timer = setTimeout(look, intervalMs);
    } catch (error) {
      if (watching) onEnd(error);
    }
  };
  timer = setTimeout(look, intervalMs);
  return () => {
    watching = false;
    clearTimeout(timer);
  };
}
