import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The version of the server, from its package.json: beside src/ in a checkout, above dist/ when it is installed. */
export function readVersion(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (dirname(directory) !== directory) {
    const version = versionIn(join(directory, "package.json"));
    if (version !== undefined) return version;
    directory = dirname(directory);
  }
  return "unknown";
}

function versionIn(path: string): string | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(path, "utf8"));
    return name === "@ostiary/server" && typeof version === "string" ? version : undefined;
  } catch {
    // No package.json here, or none of ours: the search goes on above.
    return undefined;
  }
}
