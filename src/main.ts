#!/usr/bin/env node
/**
 * The process: looks at its Node before anything else is loaded, runs the command line, ends with its code.
 */
// Before anything is loaded: an older Node ends in the middle of it, some by a segmentation fault in a native package.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(`ostiary: Node.js 22.18 or newer is needed, and this is ${process.versions.node}\n`);
  process.exit(1);
}

const { runCommandLine } = await import("./cli/cli.ts");

// The reader of the output may go away (`ostiary serve | head`); the server stays.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

const code = await runCommandLine(process.argv.slice(2), {
  environment: process.env,
  isTerminal: process.stdout.isTTY === true,
  readInput: async (maxBytes) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of process.stdin) {
      parts.push(part);
      bytes += part.length;
      if (bytes > maxBytes) break;
    }
    return Buffer.concat(parts).toString();
  },
  print: (line) => process.stdout.write(`${line}\n`),
  warn: (line) => process.stderr.write(`${line}\n`),
});

// Explicitly, because an open connection must not keep a stopped server; after the output is written.
process.exitCode = code;
process.stdout.write("", () => process.exit(code));
