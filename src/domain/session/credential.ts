/** What a caller shows for a session: which kind of token it claims to be, and the text itself. */
export interface SessionCredential {
  readonly kind: "session" | "session_cookie";
  readonly text: string;
}
