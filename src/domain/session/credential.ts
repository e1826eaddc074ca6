/** Credential of a session: the kind of token that it claims to be, and the text itself. */
export interface SessionCredential {
  readonly kind: "session" | "session_cookie";
  readonly text: string;
}
