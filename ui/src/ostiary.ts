import { createOstiary } from "@ostiary/sdk";

/** The server that the page came from. The session is a cookie, which scripts cannot read. */
export const ostiary = createOstiary({
  baseUrl: "/",
  fetch: (input, init) => {
    const headers = new Headers(init?.headers);
    // The language that was chosen here, which need not be that of the browser.
    headers.set("accept-language", document.documentElement.lang);
    return fetch(input, { ...init, headers });
  },
});
