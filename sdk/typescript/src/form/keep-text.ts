// SPDX-License-Identifier: Apache-2.0

/**
 * Saves a text that a form shows as a file. The file is named after the service and the node, `id.example.com-backup-codes.txt`, and
 * says whose it is, since it is found again much later.
 */
export function saveText(name: string, text: string): void {
  const { host, hostname } = globalThis.location;
  const [step = ""] = name.split(".");
  const written = step.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const url = URL.createObjectURL(new Blob([`${host}\n\n${text}\n`], { type: "text/plain" }));
  const link = Object.assign(document.createElement("a"), {
    href: url,
    download: `${hostname}-${written}.txt`,
  });
  link.click();
  // Browsers may read it only a while after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Prints the page that a text is on. */
export function printText(): void {
  globalThis.print();
}
