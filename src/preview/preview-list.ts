import { createHash } from "node:crypto";
import { escapeHtml } from "../transport/pages/html.ts";
import type { Preview } from "./preview.ts";

const style = `
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem; overflow-wrap: anywhere; }
ul { columns: 20rem; padding-left: 1.25rem; }
a:focus-visible { outline: 3px solid; outline-offset: 2px; }
`;

const styleHash = createHash("sha256").update(style).digest("base64");

/** The policy of the list: our one style. */
export const listPolicy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The page with all states, by the first part of their names. */
export function listPage({ states }: Preview): string {
  const groups = Map.groupBy(states, ({ name }) => name.split("/")[0] ?? "");
  const lists = [...groups].map(([group, members]) => {
    const items = members.map(
      ({ name, title }) =>
        `<li><a href="/preview/${escapeHtml(name)}">${escapeHtml(name.slice(group.length + 1))}</a>: ${escapeHtml(title)}</li>`,
    );
    return `<h2>${escapeHtml(group)} (${members.length})</h2>\n<ul>\n${items.join("\n")}\n</ul>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Preview of the pages</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Every state of every page</h1>
<p>With sample data. Nothing that you fill in goes anywhere; a button leads to what comes next.</p>
${lists.join("\n")}
</main>
</body>
</html>
`;
}
