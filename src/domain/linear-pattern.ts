import { RE2JS } from "@bufbuild/re2";

/**
 * Compiles a pattern of a schema into a matcher whose time is linear in the text for every pattern: the RE2
 * algorithm, which Go and therefore Kratos use as well. So no schema can be brought to a standstill by the text
 * that somebody registers with. The price: look-around and back-references are refused (throws an Error that says
 * so), and repetitions end at 1000.
 */
export function compileLinearPattern(pattern: string): { test(text: string): boolean; toString(): string } {
  const translated = pattern.replace(
    javaScriptEscape,
    (whole, escaped: string | undefined, braced: string | undefined, plain: string | undefined) =>
      escaped === undefined ? `\\x{${braced ?? plain}}` : whole,
  );
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(translated);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the pattern ${JSON.stringify(pattern)} cannot be matched in linear time: ${reason} (RE2 syntax applies)`,
      { cause: error },
    );
  }
  let seen = 0;
  return {
    // Security rule (SR-TRAIT-4): ajv keeps the patterns of a document by this text. Without it all patterns are "[object Object]",
    // and the first one is used for each of them.
    toString: () => pattern,
    test(text) {
      // The automaton remembers each character that it meets in each state; forgetting now and then bounds that.
      seen += text.length;
      if (seen > maxRemembered) {
        compiled.reset();
        seen = 0;
      }
      return compiled.test(text);
    },
  };
}

/** A pattern that was compiled. */
export type LinearPattern = ReturnType<typeof compileLinearPattern>;

const maxRemembered = 64 * 1024;
// An escaped backslash first, so that what follows it is not taken for an escape.
const javaScriptEscape = /(\\\\)|\\u\{([0-9a-fA-F]+)\}|\\u([0-9a-fA-F]{4})/g;
