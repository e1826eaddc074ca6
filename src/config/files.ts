import { accessSync, constants, readFileSync, type Stats, statSync } from "node:fs";

/** The largest secret that is read from a file. */
const maxSecretBytes = 65_536;

/** A file's text, or what is wrong with it, to follow the file's name in a sentence. */
export type FileResult =
  | { readonly kind: "text"; readonly text: string; readonly openToOthers: boolean }
  | { readonly kind: "wrong"; readonly message: string };

/** Reads a secret from a file; one line break at the end is cut off, as editors and `echo` add one. */
export function readSecretFile(path: string): FileResult {
  try {
    const stats = statSync(path);
    const { size } = stats;
    if (size > maxSecretBytes) return { kind: "wrong", message: `is larger than ${maxSecretBytes} bytes` };
    const text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path)).replace(/\r?\n$/, "");
    if (text === "") return { kind: "wrong", message: "is empty" };
    return { kind: "text", text, openToOthers: isOpenToOthers(stats) };
  } catch (error) {
    return { kind: "wrong", message: describeFileError(error) };
  }
}

/** What keeps a file from being read, if anything does, and whether other accounts may read it. */
export function inspectFile(path: string): {
  readonly message: string | undefined;
  readonly openToOthers: boolean;
} {
  try {
    accessSync(path, constants.R_OK);
    const stats = statSync(path);
    if (stats.isDirectory()) return { message: "is a directory", openToOthers: false };
    return { message: undefined, openToOthers: isOpenToOthers(stats) };
  } catch (error) {
    return { message: describeFileError(error), openToOthers: false };
  }
}

/** Why a file could not be read, to follow its name in a sentence. */
export function describeFileError(error: unknown): string {
  if (error instanceof TypeError && !("syscall" in error)) return "is not UTF-8 text";
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return fileErrors[code] ?? `cannot be read (${code === "" ? "unknown error" : code})`;
}

const fileErrors: Partial<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "cannot be read: permission denied",
  EPERM: "cannot be read: permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "does not exist: a part of its path is not a directory",
  ELOOP: "cannot be read: its symbolic links lead in a circle",
  ERR_ENCODING_INVALID_ENCODED_DATA: "is not UTF-8 text",
};

// Windows has no such bits; Node reports them as set.
/**
 * Whether other accounts may read or write a file. That a group reads it is all right where root gives it to a group of this process,
 * which is not root: Kubernetes hands secrets over like that, and so do `chown root:ostiary` and mode 0640.
 */
export function isOpenToOthers(
  { mode, uid, gid }: Pick<Stats, "mode" | "uid" | "gid">,
  self: Pick<typeof process, "platform" | "getuid" | "getgroups"> = process,
): boolean {
  if (self.platform === "win32") return false;
  const isOfOwnGroup = gid !== 0 && self.getgroups?.().includes(gid) === true;
  const isGivenByRoot = uid === 0 && self.getuid?.() !== 0 && isOfOwnGroup;
  return (mode & (isGivenByRoot ? 0o026 : 0o066)) !== 0;
}

/**
 * Whether a text is the path of a file rather than a secret: it begins as one, or there is such a file. Secrets in base64
 * may begin with a slash as well.
 */
export function isPath(text: string): boolean {
  if (/^(file:|\.{1,2}\/|~[\w.-]*\/|[A-Za-z]:[\\/])/i.test(text)) return true;
  if (/^\/[\w.+@=-]+(\/[\w.+@=-]+)*\/?$/.test(text) && !isBase64(text)) return true;
  return text.length <= maxPathLength && isFile(text);
}

const maxPathLength = 4096;

function isBase64(text: string): boolean {
  const isWhole = text.length >= 32 && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);
  return isWhole && [/[a-z]/, /[A-Z]/, /\d/].every((kind) => kind.test(text));
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
