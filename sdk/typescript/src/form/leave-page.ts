// SPDX-License-Identifier: Apache-2.0

/** How long a page waits to be left before its form can be used again: a person may have stopped it. */
const longestWaitMs = 10_000;

/**
 * Sends the browser where an outcome `redirect` leads: by GET, or with a form where there are fields to post. Resolves when the page is
 * there again, or was not left: it came from the back/forward cache, or the browser was stopped. A form whose handler waits for it can
 * then be used again; a handler of `renderForm` gives `outcome.flow` to draw.
 */
export function leavePage({
  url,
  fields = {},
}: {
  readonly url: string;
  readonly fields?: Readonly<Record<string, string>>;
}): Promise<void> {
  // Security: no script runs in the place of another page.
  if (!/^https?:/i.test(url)) throw new TypeError("leavePage goes to http and https addresses alone");
  const back = new Promise<void>((resolve) => {
    window.addEventListener("pageshow", () => resolve(), { once: true });
    setTimeout(resolve, longestWaitMs);
  });
  const entries = Object.entries(fields);
  if (entries.length === 0) window.location.assign(url);
  else postForm(url, entries);
  return back;
}

function postForm(url: string, fields: readonly (readonly [string, string])[]): void {
  const form = document.createElement("form");
  form.method = "post";
  form.action = url;
  for (const [name, value] of fields) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = name;
    input.value = value;
    form.append(input);
  }
  document.body.append(form);
  // A field may be called `submit` as well.
  HTMLFormElement.prototype.submit.call(form);
  form.remove();
}
