// SPDX-License-Identifier: Apache-2.0
// Takes the pictures of docs/ui.md from the preview; with --sheets also contact sheets of every state, at three widths, in light and dark
// and in both languages, to look through. With --page login it makes the sheets of one page, and nothing else. Needs Chromium.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Page } from "playwright-core";
import type { PreviewState } from "../src/preview/preview-state.ts";
import { openChromium } from "../test/support/chromium.ts";
import { PreviewWindow, previewOfNothing, servePreviewOfNothing } from "../test/support/preview.ts";

const sheetsFolder = "ui/.sheets";
const docsFolder = "docs/pictures";
const widths = [320, 768, 1280];
const schemes = ["light", "dark"] as const;
const locales = ["en-GB", "de-DE"];

const { values } = parseArgs({ options: { sheets: { type: "boolean" }, page: { type: "string" } } });
const onlyPage = values.page;
const preview = await previewOfNothing();
const server = await servePreviewOfNothing();
try {
  if (values.sheets) await makeSheets();
  if (onlyPage === undefined) await makeDocsPictures();
} finally {
  await server.stop();
  await (await openChromium()).close();
}

/** One sheet for each page, language and colour scheme: a row for each state, with a picture at each width. */
async function makeSheets(): Promise<void> {
  mkdirSync(sheetsFolder, { recursive: true });
  const groups = Map.groupBy(preview.states, ({ name }) => name.split("/")[0] ?? "");
  for (const [group, states] of groups) {
    if (onlyPage !== undefined && group !== onlyPage) continue;
    for (const locale of locales)
      for (const scheme of schemes) await makeSheet(group, states, locale, scheme);
  }
}

async function makeSheet(
  group: string,
  states: readonly PreviewState[],
  locale: string,
  colorScheme: (typeof schemes)[number],
): Promise<void> {
  // Where only a sentence differs, one width shows it.
  const shown = group === "message" || group === "refused" ? [320] : widths;
  const window = await PreviewWindow.open(server.url, { locale, colorScheme, deviceScaleFactor: 0.5 });
  const sheets: string[][] = [];
  let room = 0;
  for (const state of states) {
    const pictures: string[] = [];
    let height = 0;
    for (const width of shown) {
      await window.page.setViewportSize({ width, height: 480 });
      if (width === shown[0]) await window.show(state);
      const picture = await capture(window.page, 60);
      height = Math.max(height, await window.page.evaluate(() => document.documentElement.scrollHeight));
      pictures.push(`<img width="${width / 2}" src="data:image/webp;base64,${picture}">`);
    }
    // A sheet ends where it would be too tall to look at.
    if (height > room) {
      sheets.push([]);
      room = shown.length === 1 ? 40_000 : 8_000;
    }
    room -= height;
    sheets.at(-1)?.push(`<figure><figcaption>${state.name}</figcaption>${pictures.join(" ")}</figure>`);
  }
  await window.close();
  for (const [place, rows] of sheets.entries()) {
    const name = `${group}-${locale.slice(0, 2)}-${colorScheme}-${place + 1}`;
    await writeSheet(name, rows, shown.length === 1 ? 5 : 1);
  }
}

async function writeSheet(name: string, rows: readonly string[], columns: number): Promise<void> {
  const context = await (await openChromium()).newContext({ viewport: { width: 1240, height: 600 } });
  const page = await context.newPage();
  const style = `body { font: 12px sans-serif; margin: 8px; background: #999; columns: ${columns} }
    img { vertical-align: top } figure { margin: 0 0 12px; break-inside: avoid }`;
  await page.setContent(`<!doctype html><style>${style}</style>${rows.join("\n")}`);
  await page.screenshot({ path: `${sheetsFolder}/${name}.png`, fullPage: true });
  await context.close();
}

/** The pictures of docs/ui.md, small enough to be kept in the repository. */
async function makeDocsPictures(): Promise<void> {
  rmSync(docsFolder, { recursive: true, force: true });
  mkdirSync(docsFolder, { recursive: true });
  for (const [file, name, height] of [
    ["sign-in", "login/one-step", 1020],
    ["account", "settings/change-settings-new", 1020],
  ] as const) {
    const state = preview.find(name);
    if (state === undefined) throw new Error(`there is no state ${name}`);
    for (const colorScheme of schemes) {
      const options = { colorScheme, viewport: { width: 640, height }, deviceScaleFactor: 1.5 };
      const window = await PreviewWindow.open(server.url, options);
      await window.show(state);
      const picture = Buffer.from(await capture(window.page, 75, false), "base64");
      if (picture.length > 60_000) throw new Error(`${file}-${colorScheme} has ${picture.length} bytes`);
      writeFileSync(`${docsFolder}/${file}-${colorScheme}.webp`, picture);
      await window.close();
    }
  }
}

/** A page as WebP, in base64. Playwright has no WebP of its own. */
async function capture(page: Page, quality: number, isWhole = true): Promise<string> {
  const session = await page.context().newCDPSession(page);
  const { cssContentSize, cssVisualViewport } = await session.send("Page.getLayoutMetrics");
  const { width, height } = isWhole
    ? cssContentSize
    : { width: cssVisualViewport.clientWidth, height: cssVisualViewport.clientHeight };
  const clip = { x: 0, y: 0, width, height, scale: 1 };
  const format = "webp" as const;
  const { data } = await session.send("Page.captureScreenshot", {
    format,
    quality,
    clip,
    captureBeyondViewport: isWhole,
  });
  await session.detach();
  return data;
}
