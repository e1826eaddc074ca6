import type { Liquid, LiquidError } from "liquidjs";
import type { MessageRenderer, RenderedMessage } from "../../domain/courier/delivery.ts";
import {
  type MessageChannel,
  type MessageContent,
  type MessageTemplate,
  messageTemplates,
  sampleContent,
} from "../../domain/courier/message.ts";
import { isObject, type JsonValue, valueAt } from "../../domain/json.ts";
import {
  languagesOf,
  maxTemplateBytes,
  TemplateError,
  type TemplateFiles,
  type TemplatePart,
  templateFile,
} from "./template-files.ts";

/** The most that a template may make, in characters. */
const maxRenderedLength = 262_144;

interface LiquidRendererOptions {
  readonly files: TemplateFiles;
  /** Used where there is no template in the language that was asked for, nor in English. */
  readonly defaultLanguage: string;
  /** Name of the service for people. */
  readonly serviceName: string;
  /** The domain of the pages, to which a browser that reads text messages binds their codes. Empty: they are bound to none. */
  readonly pageDomain: string;
}

interface Engines {
  readonly text: Liquid;
  readonly html: Liquid;
  /** Client data for templates. A missing member is empty and no mistake, because each client sends its own data. */
  readonly clientData: (value: JsonValue | undefined) => unknown;
}

/**
 * Fills in Liquid templates that were read before.
 *
 * Security rules (SR-MAIL-1): data is only ever data. It is not parsed, so template syntax in it is text; in HTML every
 * output is escaped; a subject is one line. Templates see the data of their message and nothing else, neither
 * prototypes nor files, and are bounded in time, memory and output.
 */
export class LiquidRenderer implements MessageRenderer {
  readonly #options: LiquidRendererOptions;
  readonly #languages: readonly string[];
  #engines: Promise<Engines> | undefined;

  constructor(options: LiquidRendererOptions) {
    this.#options = options;
    this.#languages = languagesOf(options.files);
  }

  /** The languages of the templates, the default first. */
  get languages(): readonly string[] {
    const { defaultLanguage } = this.#options;
    const distance = (language: string) =>
      language === defaultLanguage ? 0 : language.split("-")[0] === defaultLanguage.split("-")[0] ? 1 : 2;
    return [...this.#languages].sort((left, right) => distance(left) - distance(right));
  }

  async render(content: MessageContent, channel: MessageChannel, language: string): Promise<RenderedMessage> {
    const part = (name: TemplatePart) =>
      this.#fillIn(this.#languageOf(content.template, name, language), content, name);
    if (channel === "sms") return { channel, text: (await part("sms")).trim() };
    return {
      channel,
      subject: oneLine(await part("subject")),
      text: await part("text"),
      html: await part("html"),
    };
  }

  /**
   * Fills in every template of every language with sample data. Throws a TemplateError with file and line for the
   * first that fails.
   */
  async check(): Promise<void> {
    for (const language of this.#languages) {
      for (const template of messageTemplates) {
        const content = sampleContent(template);
        if (this.#has(language, template, "text")) await this.render(content, "email", language);
        if (this.#has(language, template, "sms")) await this.render(content, "sms", language);
      }
    }
  }

  async #fillIn(language: string, content: MessageContent, part: TemplatePart): Promise<string> {
    const file = templateFile(language, content.template, part);
    this.#engines ??= createEngines(this.#options.files);
    const engines = await this.#engines;
    const engine = part === "html" ? engines.html : engines.text;
    let rendered: unknown;
    try {
      rendered = await engine.renderFile(file, {
        ...variablesOf(content, language),
        language,
        service_name: this.#options.serviceName,
        page_domain: this.#options.pageDomain,
        client_data: engines.clientData(content.clientData ?? {}),
      });
    } catch (error) {
      throw describe(error, file);
    }
    const text = String(rendered);
    if (text.length > maxRenderedLength) {
      throw new TemplateError(`${file}: makes more than ${maxRenderedLength} characters`);
    }
    return text;
  }

  /** The nearest language: `de-AT`, then `de`, then the default one, then English, which is always there. */
  #languageOf(template: MessageTemplate, part: TemplatePart, wanted: string): string {
    const { defaultLanguage } = this.#options;
    const candidates = [...nearest(wanted), ...nearest(defaultLanguage), "en"];
    for (const candidate of candidates) {
      const language = this.#languages.find((each) => each.toLowerCase() === candidate.toLowerCase());
      if (language !== undefined && this.#has(language, template, part)) return language;
    }
    throw new TemplateError(`${templateFile("en", template, part)}: is missing`);
  }

  #has(language: string, template: MessageTemplate, part: TemplatePart): boolean {
    return this.#options.files.has(templateFile(language, template, part));
  }
}

/** `zh-Hant-TW`, `zh-Hant`, `zh`. Tags come from requests, so only a few parts are looked at. */
function nearest(tag: string): string[] {
  const parts = tag.split("-", 4);
  return parts.map((_, index) => parts.slice(0, parts.length - index).join("-"));
}

/** Dates as the language writes them: a day, or a moment with its time. */
function variablesOf({ data }: MessageContent, language: string): object {
  const timeZone = "UTC";
  if ("date" in data) {
    const date = new Intl.DateTimeFormat(language, { dateStyle: "long", timeZone }).format(data.date);
    // A message that waits since the release before has none.
    return { date, url: data.url ?? "" };
  }
  const format = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short", timeZone });
  const moment = (time: Date) => `${format.format(time)} ${timeZone}`;
  if ("until" in data) return { ...data, until: moment(data.until) };
  return "time" in data ? { ...data, time: moment(data.time) } : { ...data };
}

/** Loaded with the first message: a server that sends none need not. */
async function createEngines(files: TemplateFiles): Promise<Engines> {
  const { Drop, Liquid } = await import("liquidjs");
  class ClientData extends Drop {
    readonly #value: JsonValue | undefined;
    constructor(value: JsonValue | undefined) {
      super();
      this.#value = value;
    }
    override liquidMethodMissing(key: string | number): unknown {
      return clientData(isObject(this.#value) ? valueAt(this.#value, [String(key)]) : undefined);
    }
    override valueOf(): JsonValue {
      return this.#value ?? null;
    }
  }
  const clientData = (value: JsonValue | undefined): unknown =>
    value === undefined || isObject(value) ? new ClientData(value) : value;
  const options = {
    // In memory: no template can reach the file system.
    templates: Object.fromEntries(files),
    cache: true,
    dynamicPartials: true,
    strictFilters: true,
    strictVariables: true,
    ownPropertyOnly: true,
    parseLimit: maxTemplateBytes,
    renderLimit: 1_000,
    memoryLimit: 1_000_000,
  };
  const html = new Liquid({ ...options, outputEscape: "escape" });
  return { text: new Liquid(options), html, clientData };
}

/** File and line, and what Liquid says of them; never the text of the template or the data. */
function describe(error: unknown, file: string): TemplateError {
  if (!(error instanceof Error)) return new TemplateError(`${file}: cannot be rendered`);
  const { token } = error as Partial<LiquidError>;
  const [line] = token?.getPosition() ?? [];
  const place = line === undefined ? file : `${token?.file ?? file}:${line}`;
  const said = error.message.split("\n")[0]?.replace(/, file:.*$|, line:\d+.*$/, "") ?? "";
  return new TemplateError(`${place}: ${said}`);
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
}
