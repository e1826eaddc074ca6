import { createHash } from "node:crypto";
import type { MailboxMessage } from "../../../domain/courier/mailbox.ts";
import { escapeHtml } from "../html.ts";

const style = `
:root { color-scheme: light dark; background: Canvas; color: CanvasText; }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.125rem; margin: 0; }
p { margin: .5rem 0; }
form { display: flex; flex-wrap: wrap; align-items: end; gap: .5rem; margin: 1rem 0; }
label { flex: 1 1 12rem; } input { display: block; width: 100%; }
input, button { font: inherit; min-height: 2.5rem; padding: .25rem .75rem; }
ol { list-style: none; margin: 0; padding: 0; }
li { padding: 1rem 0; border-top: 1px solid #767676; }
.facts { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
.code { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem; }
code { font: 600 1.25rem ui-monospace, Consolas, monospace; letter-spacing: .08em; user-select: all; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { font-weight: 600; } dd { margin: 0; }
pre { white-space: pre-wrap; padding: 1rem; border: 1px solid #767676; border-radius: .25rem; }
iframe { width: 100%; height: 32rem; border: 1px solid #767676; border-radius: .25rem; background: #fff; color-scheme: light; }
:focus-visible { outline: 3px solid; outline-offset: 2px; }
`;

/**
 * What the pages can do more with a script: copy a code, write times as the reader does, and load themselves again when there is
 * something new. A page that was changed by hand stays.
 */
const script = `
for (const time of document.querySelectorAll("time")) {
  time.title = time.textContent;
  time.textContent = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  const status = button.nextElementSibling;
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(button.dataset.copy).then(
      () => { status.textContent = "Copied."; },
      () => { status.textContent = "This browser does not allow it: select the code."; },
    );
  });
}
const list = document.querySelector("[data-version]");
const field = document.querySelector("input[type=search]");
if (list !== null) setInterval(async () => {
  if (document.hidden || field.value !== field.defaultValue || document.activeElement === field) return;
  const answer = await fetch(location.href, { method: "HEAD" }).catch(() => undefined);
  const version = answer?.ok ? answer.headers.get("etag") : null;
  if (version && version !== list.dataset.version) location.reload();
}, 3000);
`;

const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** The policy of the mailbox's own pages: our one style and one script, and the frame with a mail. */
export const pagePolicy = [
  "default-src 'none'",
  `style-src ${hashOf(style)}`,
  `script-src ${hashOf(script)}`,
  "connect-src 'self'",
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/**
 * The policy of a mail.
 *
 * Security rule (SR-MAIL-5): a mail is shown without scripts, forms and remote content, and as nobody's origin, so that what got into
 * it cannot reach the mailbox. Its links open in a window of their own, which is an ordinary one.
 */
export const mailPolicy =
  "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/** What the list is asked for. */
export interface ListOptions {
  /** A part of the recipients' addresses or numbers; empty for all. */
  readonly to: string;
  /** Whether it loads itself again when there is something new. */
  readonly refreshing: boolean;
}

/** The list of messages, and by what a browser sees that it has changed. */
export function listPage(
  messages: readonly MailboxMessage[],
  { to, refreshing }: ListOptions,
): { readonly html: string; readonly version: string } {
  const items = messages.map(itemOf).join("\n");
  const version = `"${createHash("sha256").update(items).digest("base64url").slice(0, 22)}"`;
  const address = (refresh: boolean) => {
    const query = new URLSearchParams({
      ...(to === "" ? {} : { to }),
      ...(refresh ? {} : { refresh: "off" }),
    });
    return escapeHtml(query.size === 0 ? "/mailbox" : `/mailbox?${query}`);
  };
  const toggle = refreshing
    ? `New ones appear by themselves. <a href="${address(false)}">Stop that</a>.`
    : `<a href="${address(true)}">Show new ones by themselves</a>.`;
  const none = to === "" ? "There are no messages yet." : "There are no messages to such a recipient.";
  const all = `<a href="/mailbox${refreshing ? "" : "?refresh=off"}">All messages</a>`;
  const html = page(
    `Mailbox (${messages.length})`,
    `<h1>Development mailbox</h1>
<p>No mail server is configured, so messages stay on this machine and are shown here. ${toggle}</p>
<form action="/mailbox" role="search">
<label>Recipient <input type="search" name="to" value="${escapeHtml(to)}" maxlength="320" autocomplete="off"></label>
${refreshing ? "" : '<input type="hidden" name="refresh" value="off">'}<button>Filter</button>
</form>
${to === "" ? "" : `<p>${all}</p>`}
<div${refreshing ? ` data-version="${escapeHtml(version)}"` : ""}>
${messages.length === 0 ? `<p>${none}</p>` : `<ol>\n${items}\n</ol>`}
</div>`,
  );
  return { html, version };
}

function itemOf(message: MailboxMessage): string {
  const { record, rendered } = message;
  const recipient = new URLSearchParams({ to: record.recipient });
  return `<li>
<h2><a href="/mailbox/message?id=${record.id}">${escapeHtml(titleOf(rendered, record.template))}</a></h2>
<p class="facts"><span>To <a href="/mailbox?${escapeHtml(String(recipient))}">${escapeHtml(record.recipient)}</a></span>
${timeOf(record.createdAt)}
<span>${stateOf(message)}</span></p>
${codeOf(message)}${linkOf(message)}</li>`;
}

/** One message: subject, text, and the mail's HTML in a frame. */
export function messagePage(message: MailboxMessage): string {
  const { record, rendered } = message;
  const title = titleOf(rendered, record.template);
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
<dt>Time</dt><dd>${timeOf(record.createdAt)}</dd>
<dt>Template</dt><dd>${record.template}, ${escapeHtml(record.language || "default language")}</dd>
<dt>State</dt><dd>${stateOf(message)}</dd>
</dl>
${codeOf(message)}${linkOf(message)}${content}`,
  );
}

/** What is shown in the place of a message that is not there. */
export function missingPage(): string {
  return page(
    "Message not found",
    `<h1>Message not found</h1>
<p>There is no such message, or it is no longer kept.</p>
<p><a href="/mailbox">All messages</a></p>`,
  );
}

function codeOf({ code }: MailboxMessage): string {
  if (code === undefined) return "";
  const text = escapeHtml(code);
  return `<p class="code"><code>${text}</code> <button type="button" data-copy="${text}" hidden>Copy the code</button> <span role="status"></span></p>\n`;
}

function linkOf({ url }: MailboxMessage): string {
  if (url === undefined || !/^https?:\/\//.test(url)) return "";
  return `<p><a href="${escapeHtml(url)}" target="_blank" rel="noopener noreferrer">Open the link of this message (new tab)</a></p>\n`;
}

function stateOf({ record }: MailboxMessage): string {
  return record.lastError === undefined ? record.state : `${record.state}: ${escapeHtml(record.lastError)}`;
}

/** In UTC, until the script writes it as the reader does. */
function timeOf(time: Date): string {
  const text = time.toISOString();
  return `<time datetime="${text}">${text.slice(0, 19).replace("T", " ")} UTC</time>`;
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

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Ostiary</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
<script>${script}</script>
</body>
</html>
`;
}
