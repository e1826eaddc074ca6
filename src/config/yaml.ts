import { type Document, isAlias, LineCounter, type Node, parseDocument, visit } from "yaml";

/** A YAML text that was read, or what is wrong with it. */
export type YamlResult =
  | { readonly kind: "read"; readonly contents: Node | null; readonly lineOf: (node: Node | null) => number }
  | {
      readonly kind: "wrong";
      readonly mistakes: readonly { readonly line: number; readonly message: string }[];
    };

/** The longest text that is read. */
export const maxYamlBytes = 2 ** 20;

/**
 * Reads one YAML 1.2 document. Refused are duplicate keys, tags, several documents, keys that are not text, and
 * aliases: a few lines of those can stand for gigabytes. Messages name no values, which may be secrets.
 */
export function readYaml(text: string): YamlResult {
  if (text.length > maxYamlBytes) {
    return { kind: "wrong", mistakes: [{ line: 1, message: `is larger than ${maxYamlBytes} bytes` }] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    resolveKnownTags: false,
    // Not "silent": that would also keep a second document from being noticed.
    logLevel: "error",
  });
  const mistakes = mistakesOf(document, text).map(({ offset, message }) => ({
    line: lines.linePos(offset).line,
    message,
  }));
  if (mistakes.length > 0) return { kind: "wrong", mistakes: mistakes.slice(0, 10) };
  return {
    kind: "read",
    contents: document.contents,
    lineOf: (node) => lines.linePos(node?.range?.[0] ?? 0).line,
  };
}

function mistakesOf(document: Document.Parsed, text: string): { offset: number; message: string }[] {
  const mistakes = [...document.errors, ...document.warnings].map(({ code, message, pos }) => ({
    offset: pos[0],
    message: messageOf(code, text.slice(pos[0])) ?? `is not valid YAML: ${message.split("\n")[0]}`,
  }));
  // One mistake often causes others; with nesting that is too deep there is one for each level.
  if (mistakes.length > 0) return mistakes.slice(0, 1);
  visit(document, (_, node) => {
    if (!isAlias(node)) return;
    mistakes.push({
      offset: node.range?.[0] ?? 0,
      message: "aliases (`*name`) are not supported: write the value out",
    });
  });
  return mistakes;
}

function messageOf(code: string, textFromThere: string): string | undefined {
  if (code !== "DUPLICATE_KEY") return messages[code];
  const name = /^["']?([\w.-]{1,64})/.exec(textFromThere)?.[1];
  return name === undefined ? "a key is there twice" : `the key ${name} is there twice`;
}

// Only codes whose own message could quote the text, or that can be said more clearly.
const messages: Partial<Record<string, string>> = {
  MULTIPLE_DOCS: "must be a single YAML document",
  NON_STRING_KEY: "keys must be plain text",
  RESOURCE_EXHAUSTION: "is nested too deeply",
  TAB_AS_INDENT: "tabs cannot indent in YAML: use spaces",
  TAG_RESOLVE_FAILED: "tags (`!name`) are not supported",
};
