// Prints the source files that one warm CheckSession and one password login run through: `node bench/files-run.ts`. A file counts
// if a function of it ran, by the precise coverage of V8; what the courier, the jobs and timers do meanwhile is not counted.
import { mkdtempSync, rmSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startApp } from "../src/app.ts";
import { loadConfig } from "../src/config/load-config.ts";
import { connect, logIn, register } from "./journey.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const sources = `${pathToFileURL("src").href}/`;
/** What runs by itself from time to time: the courier, its store and the loops that wait for work. */
const background =
  /^(app-|app\.ts|outbound\/|domain\/courier\/|domain\/keep-running|storage\/(message|jobs|job-)|transport\/net\/readiness)/;

const directory = mkdtempSync(join(tmpdir(), "ostiary-files-"));
const app = await startApp({
  config: loadConfig({
    environment: { OSTIARY_SERVER_COURIER_WORKERS: "0" },
    flags: {
      "database.data_directory": directory,
      "server.public.port": "0",
      "server.admin.port": "0",
    },
  }),
  logger: silent,
  version: "bench",
});
const inspector = new Session();
inspector.connect();
try {
  const ostiary = connect(`http://127.0.0.1:${app.publicPort}`);
  const token = await register(ostiary, "check@example.com");
  await register(ostiary, "login@example.com");
  for (let call = 0; call < 3; call++) {
    await ostiary.sessions.checkSession({ token });
    await logIn(ostiary, "login@example.com");
  }
  report("a warm CheckSession", await filesRun(() => ostiary.sessions.checkSession({ token })));
  report("a password login of two calls", await filesRun(() => logIn(ostiary, "login@example.com")));
} finally {
  inspector.disconnect();
  await app.stop();
  rmSync(directory, { recursive: true, force: true });
}

/** The files that a call runs through, below src/. */
async function filesRun(call: () => Promise<unknown>): Promise<readonly string[]> {
  await inspector.post("Profiler.enable");
  await inspector.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  await inspector.post("Profiler.takePreciseCoverage");
  await call();
  const { result } = await inspector.post("Profiler.takePreciseCoverage");
  await inspector.post("Profiler.stopPreciseCoverage");
  return (
    result
      // Counts begin anew when they are taken, so what ran when the file was loaded is not among them.
      .filter(({ url, functions }) => url.startsWith(sources) && functions.some(ran))
      .map(({ url }) => url.slice(sources.length))
      .filter((file) => !background.test(file))
      .sort()
  );
}

function ran({ ranges }: { ranges: { count: number }[] }): boolean {
  return ranges.some(({ count }) => count > 0);
}

function report(what: string, files: readonly string[]): void {
  const transport = files.filter((file) => file.startsWith("transport/"));
  console.log(`${what}: ${files.length} files, ${transport.length} of them transport`);
  for (const file of files) console.log(`  ${file}`);
}
