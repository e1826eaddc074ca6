import { createHash } from "node:crypto";
import type { MailboxMessage } from "../../../domain/courier/mailbox.ts";
import { escapeHtml } from "../html.ts";

const style = `
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid #767676; vertical-align: top; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; border: 1px solid #767676; border-radius: .25rem; }
iframe { width: 100%; height: 32rem; border: 1px solid #767676; border-radius: .25rem; background: #fff; color-scheme: light; }
a:focus-visible { outline: 3px solid; outline-offset: 2px; }
`;

const styleHash = createHash("sha256").update(style).digest("base64");

/** The policy of the mailbox's own pages: our one style, and the frame with a mail. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${styleHash}'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/**
 * The policy of a mail.
 *
 * Security rule (SR-MAIL-5): a mail is shown without scripts, forms and remote content, and as nobody's origin, so that what got into
 * it cannot reach the mailbox. Its links open in a window of their own, which is an ordinary one.
 */
export const mailPolicy =
  "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/** The list of messages. It loads itself again every few seconds, unless that was switched off. */
export function listPage(messages: readonly MailboxMessage[], refreshing: boolean): string {
  const rows = messages.map(
    ({ record, rendered }) => `<tr>
<td><time datetime="${record.createdAt.toISOString()}">${clock(record.createdAt)}</time></td>
<td><a href="/mailbox/message?id=${record.id}">${escapeHtml(titleOf(rendered, record.template))}</a></td>
<td>${escapeHtml(record.recipient)}</td>
<td>${record.state}${record.lastError === undefined ? "" : `: ${escapeHtml(record.lastError)}`}</td>
</tr>`,
  );
  const table = `<table>
<thead><tr><th scope="col">Time (UTC)</th><th scope="col">Message</th><th scope="col">To</th><th scope="col">State</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table>`;
  const toggle = refreshing
    ? `This page loads itself again every 5 seconds. <a href="/mailbox?refresh=off">Stop that</a>.`
    : `<a href="/mailbox">Load again every 5 seconds</a>.`;
  return page(
    `Mailbox (${messages.length})`,
    `<h1>Development mailbox</h1>
<p>No mail server is configured, so messages stay on this machine and are shown here. ${toggle}</p>
${messages.length === 0 ? "<p>There are no messages yet.</p>" : table}`,
    refreshing ? `<meta http-equiv="refresh" content="5">` : "",
  );
}

/** One message: subject, text, and the mail's HTML in a frame. */
export function messagePage({ record, rendered, url }: MailboxMessage): string {
  const title = titleOf(rendered, record.template);
  const link =
    url !== undefined && /^https?:\/\//.test(url)
      ? `<p><a href="${escapeHtml(url)}" target="_blank" rel="noopener noreferrer">Open the link of this message (new tab)</a></p>`
      : "";
  const frame = `<h2>HTML</h2>
<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="The mail as HTML" src="/mailbox/html?id=${record.id}"></iframe>`;
  const content =
    rendered === undefined
      ? "<p>What this message said is no longer kept, or its template failed.</p>"
      : `<h2>Text</h2>
<pre>${escapeHtml(rendered.text)}</pre>
${rendered.channel === "email" ? frame : ""}`;
  return page(
    title,
    `<p><a href="/mailbox">All messages</a></p>
<h1>${escapeHtml(title)}</h1>
<dl>
<dt>To</dt><dd>${escapeHtml(record.recipient)}</dd>
<dt>Time</dt><dd>${record.createdAt.toISOString()}</dd>
<dt>Template</dt><dd>${record.template}, ${escapeHtml(record.language || "default language")}</dd>
<dt>State</dt><dd>${record.state}${record.lastError === undefined ? "" : `: ${escapeHtml(record.lastError)}`}</dd>
</dl>
${link}
${content}`,
  );
}

/** What somebody sees who has not opened a link. */
export function closedPage(): string {
  return page(
    "Mailbox",
    `<h1>The mailbox is closed</h1>
<p>Open the link that the server printed when it started. Each link works once:
<code>ostiary mailbox --link</code> prints a new one.</p>`,
  );
}

/** The mail, with its links leading out of the frame. */
export function mailDocument(html: string): string {
  const base = `<base target="_blank">`;
  return /<head>/i.test(html) ? html.replace(/<head>/i, (head) => head + base) : base + html;
}

/** The title of a message: of a mail its subject. */
export function titleOf(rendered: MailboxMessage["rendered"], template: string): string {
  if (rendered === undefined) return template;
  return rendered.channel === "email" ? rendered.subject : rendered.text;
}

function page(title: string, body: string, head = ""): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Ostiary</title>
${head}
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

function clock(time: Date): string {
  return time.toISOString().slice(0, 19).replace("T", " ");
}
