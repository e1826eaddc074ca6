import type { IncomingMessage } from "node:http";

/** What a person does at a provider. */
export interface SignInChoice {
  readonly subject: string;
  readonly consents: boolean;
}

/** The page of a provider at which one types who one is, for a browser and for `UpstreamVisitor`. Plain HTML without a script. */
export function signInPage(title: string, known: { readonly subject?: string | undefined } = {}): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title></head>
<body>
<h1>${title}</h1>
<form method="post">
<label>Subject <input name="subject" autocomplete="off" value="${escapeHtml(known.subject ?? "")}"></label>
<button name="choice" value="consent">Continue</button>
<button name="choice" value="cancel">Cancel</button>
</form>
</body>
</html>`;
}

/** Reads what was sent by the page's form. */
export async function readChoice(request: IncomingMessage): Promise<SignInChoice> {
  const form = new URLSearchParams(await readBody(request));
  return { subject: form.get("subject") ?? "", consents: form.get("choice") === "consent" };
}

/** The body of a request as text. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
