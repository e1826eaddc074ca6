/**
 * The form in which a password is judged and hashed: every blank of Unicode is a plain space, then NFC (RFC 8265, section
 * 4.2.2). So the same password typed on another keyboard is the same bytes: macOS writes option and space as U+00A0.
 */
export function passwordForm(password: string): string {
  return password.replace(/\p{Zs}/gu, " ").normalize("NFC");
}
