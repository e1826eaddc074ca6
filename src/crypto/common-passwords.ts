import { createRequire } from "node:module";
import type { CommonPasswords } from "../domain/method/password/policy.ts";

/**
 * The list of common passwords: the 49 thousand of @zxcvbn-ts/language-common, which come from leaks. It is read
 * at the first question (about 30 ms, once, and 4 MB), so that starting the server does not wait for it; ask once
 * after the start to have it ready. Reading it later but asynchronously would let the first passwords through
 * unchecked, or make every caller wait for a promise.
 */
export function createCommonPasswords(): CommonPasswords {
  let list: ReadonlySet<string> | undefined;
  return {
    has: (password) => {
      list ??= readList();
      return list.has(password.toLowerCase());
    },
  };
}

function readList(): ReadonlySet<string> {
  const require = createRequire(import.meta.url);
  const { dictionary }: typeof import("@zxcvbn-ts/language-common") = require("@zxcvbn-ts/language-common");
  return new Set(dictionary["passwords-common"]);
}
