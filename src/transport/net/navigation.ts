import type { Exchange } from "./exchange.ts";

/** The headers by which a browser says which page made a request. */
const pageHeaders: ReadonlySet<string> = new Set(["origin", "sec-fetch-site"]);

/**
 * A request that another site has led the browser to make, taken as one of our own pages: without the headers that say where it
 * comes from. Only for paths whose own secret stands for that, such as the `state` of a login at a provider.
 */
export function asOwnNavigation(exchange: Exchange): Exchange {
  return new Proxy(exchange, {
    get(target, name) {
      if (name === "header") {
        return (header: string) => (pageHeaders.has(header) ? undefined : target.header(header));
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
