/** The paths of the pages, below /ui/. The build makes a file for each of them, which the server then serves. */
export const routes = [
  "",
  "login",
  "registration",
  "verification",
  "recovery",
  "settings",
  "sessions",
  "activity",
  "logout",
  "example-login",
] as const;

/** The path of a page, below /ui/. */
export type Route = (typeof routes)[number];
