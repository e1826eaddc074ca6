// SPDX-License-Identifier: Apache-2.0
// Compiles @ostiary/server into dist/, with the command that package.json names as its bin.
import { chmodSync, cpSync, readFileSync, writeFileSync } from "node:fs";
import { buildPackage } from "./build-package.ts";

const command = "dist/src/main.js";

buildPackage("tsconfig.build.json", "dist");

// The built-in templates lie beside the code that reads them.
const templates = "src/outbound/templates/built-in";
cpSync(templates, `dist/${templates}`, { recursive: true });

// npm links the command as it is, so it says itself what runs it.
const text = readFileSync(command, "utf8");
if (!text.startsWith("#!")) writeFileSync(command, `#!/usr/bin/env node\n${text}`);
chmodSync(command, 0o755);
