// Runs the official Connect conformance suite against our listener: `make conformance`. The runner starts server.ts
// once for each combination of features in config.yaml; what fails must be in known-failing.yaml, line by line.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";

const suite = "connectrpc.com/conformance";
const version = "v1.0.7";
const tools = `${process.cwd()}/.cache/tools/bin`;

/** How many cases may differ in more than the details of their errors. */
const mostDiffering = 30;

interface Difference {
  /** Whether it only says that our errors carry details. */
  readonly details?: boolean;
  readonly reason: string;
  readonly cases: string;
  readonly line: string;
}

const install = ["install", `${suite}/cmd/connectconformance@${version}`];
execFileSync("go", install, { stdio: "inherit", env: { ...process.env, GOBIN: tools } });
const download = execFileSync("go", ["mod", "download", "-json", `${suite}@${version}`], {
  encoding: "utf8",
});
const { Dir: folder } = JSON.parse(download) as { readonly Dir: string };
mkdirSync(".cache/conformance", { recursive: true });
execFileSync("buf", ["build", `${folder}/proto`, "-o", ".cache/conformance/descriptors.binpb"]);

// The runner gives a server little time to start, which a machine may need to read its files for the first time.
const warmUp = 'await import("./test/conformance/service.ts"); await import("./test/transport/harness.ts")';
execFileSync("node", ["--input-type=module", "--eval", warmUp]);

const flags = ["--mode", "server", "--conf", "test/conformance/config.yaml", "--max-servers", "2"];
const { stdout } = spawnSync(
  `${tools}/connectconformance`,
  [...flags, "--", "node", "test/conformance/server.ts"],
  { encoding: "utf8", maxBuffer: 64 * 1024 * 1024, stdio: ["ignore", "pipe", "inherit"] },
);
const [, passed = "0", failed] = /^(\d+) passed, (\d+) failed$/m.exec(stdout) ?? [];
const failures = failuresIn(stdout);
if (Number(failed) !== failures.size || stdout.includes("could not be run")) {
  console.log(stdout.slice(-2000));
  throw new Error("the suite did not run to its end");
}

const known = parse(readFileSync("test/conformance/known-failing.yaml", "utf8")) as readonly Difference[];
const seen = new Set<Difference>();
let unexpected = 0;
let differing = 0;
for (const [name, lines] of failures) {
  const found = lines.map((line) =>
    known.find((each) => new RegExp(each.cases).test(name) && new RegExp(each.line).test(line)),
  );
  for (const difference of found) if (difference !== undefined) seen.add(difference);
  const surprises = lines.filter((_line, index) => found[index] === undefined);
  if (surprises.length === 0) {
    if (found.some((difference) => difference?.details !== true)) differing++;
    continue;
  }
  unexpected++;
  console.log(`FAILED ${name}\n  ${surprises.join("\n  ")}`);
}
const gone = known.filter((difference) => !seen.has(difference));
for (const { reason } of gone) console.log(`no longer occurs, remove it from known-failing.yaml: ${reason}`);
const inDetails = failures.size - unexpected - differing;
console.log(
  `conformance ${version}: ${passed} passed, ${inDetails} differ in the details of errors alone, ${differing} in more as known, ${unexpected} failed`,
);
if (unexpected > 0 || gone.length > 0 || differing > mostDiffering) process.exitCode = 1;

/** The lines that the runner prints for each case that failed. */
function failuresIn(output: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of output.split("\n")) {
    const name = /^FAILED: (.*):$/.exec(line)?.[1];
    if (name !== undefined) {
      lines = [];
      found.set(name, lines);
    } else if (/^\t.*\S/.test(line)) lines.push(line.trim().replace(/^; /, ""));
  }
  return found;
}
