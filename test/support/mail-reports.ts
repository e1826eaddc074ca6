import { generateKeyPairSync, sign } from "node:crypto";

/** A delivery status as a mail server sends it (RFC 3464), of one recipient. */
export function deliveryStatus(about: {
  readonly messageId: string;
  readonly recipient: string;
  readonly action?: string;
  readonly status?: string;
  readonly said?: string;
  /** Whether the mail comes back whole, or only its headers. */
  readonly returns?: "message/rfc822" | "text/rfc822-headers";
}): string {
  const { messageId, recipient, action = "failed", status = "5.1.1", returns = "message/rfc822" } = about;
  const { said = `550 5.1.1 <${recipient}>: Recipient address rejected: User unknown` } = about;
  return [
    "From: MAILER-DAEMON@mx.example.net (Mail Delivery System)",
    "To: no-reply@example.com",
    "Subject: Undelivered Mail Returned to Sender",
    "Auto-Submitted: auto-replied",
    "MIME-Version: 1.0",
    'Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"',
    "",
    "This is a MIME-encapsulated message.",
    "",
    "--=_b",
    "Content-Type: text/plain; charset=us-ascii",
    "",
    "I'm sorry to have to inform you that your message could not be delivered.",
    "",
    "--=_b",
    "Content-Type: message/delivery-status",
    "",
    "Reporting-MTA: dns; mx.example.net",
    "Arrival-Date: Mon, 30 Nov 2026 02:00:00 +0000 (UTC)",
    "",
    `Final-Recipient: rfc822; ${recipient}`,
    `Original-Recipient: rfc822;${recipient}`,
    `Action: ${action}`,
    `Status: ${status}`,
    `Diagnostic-Code: smtp; ${said.slice(0, 20)}`,
    `    ${said.slice(20)}`,
    "",
    "--=_b",
    `Content-Type: ${returns}`,
    "",
    "From: no-reply@example.com",
    `To: ${recipient}`,
    `Message-ID: <${messageId}@example.com>`,
    "Subject: Your code: 048213",
    "",
    ...(returns === "message/rfc822" ? ["Your code is 048213.", ""] : []),
    "--=_b--",
    "",
  ].join("\r\n");
}

/** A complaint as providers of mailboxes send it (RFC 5965). */
export function complaint(about: { readonly messageId: string; readonly recipient: string }): string {
  return [
    "From: fbl@mx.example.net",
    "MIME-Version: 1.0",
    'Content-Type: multipart/report; report-type=feedback-report; boundary="=_b"',
    "",
    "--=_b",
    "Content-Type: text/plain",
    "",
    "This is an abuse report.",
    "--=_b",
    "Content-Type: message/feedback-report",
    "",
    "Feedback-Type: abuse",
    "User-Agent: SomeGenerator/1.0",
    "Version: 1",
    `Original-Rcpt-To: <${about.recipient}>`,
    "",
    "--=_b",
    "Content-Type: message/rfc822",
    "",
    `Message-ID: <${about.messageId}@example.com>`,
    "Subject: Your password was changed",
    "",
    "Hello",
    "--=_b--",
    "",
  ].join("\r\n");
}

/** Signs as SendGrid does. */
export function sendGridSigner() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return {
    publicKey: publicKey.export({ format: "der", type: "spki" }).toString("base64"),
    headers: (body: string, timestamp = "1800000000") => ({
      "x-twilio-email-event-webhook-timestamp": timestamp,
      "x-twilio-email-event-webhook-signature": sign(
        "sha256",
        Buffer.from(timestamp + body),
        privateKey,
      ).toString("base64"),
    }),
  };
}
