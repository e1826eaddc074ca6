import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { expect, test } from "vitest";

test("the folder proto/ compiles by itself, without a network: every import is in it or known to any compiler", () => {
  const alone = mkdtempSync(join(tmpdir(), "ostiary-proto-"));
  try {
    cpSync("proto", alone, { recursive: true });
    const build = () =>
      execFileSync(resolve("node_modules/.bin/buf"), ["build", "."], { cwd: alone, stdio: "pipe" });
    expect(build).not.toThrow();
  } finally {
    rmSync(alone, { recursive: true });
  }
});

/** The descriptor of one file, as a compiler that is given a folder has it. */
function compiled(folder: string, name: string) {
  const args = [
    "build",
    "--path",
    join(folder, name),
    "--exclude-source-info",
    "--as-file-descriptor-set",
    "-o",
    "-",
  ];
  const image = execFileSync("node_modules/.bin/buf", [...args, folder], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const file = createFileRegistry(fromBinary(FileDescriptorSetSchema, image)).getFile(name)?.proto;
  if (file === undefined) throw new Error(`${name} was not compiled`);
  return file;
}

// A program may link the libraries of Google and Buf beside stubs that are made from this folder. Python ends where the
// descriptors of one file differ, and Java does not find the class that a library gave another name.
test("what it has of Google is the very file of Google, and what it has of Buf names its code as Buf does", () => {
  const google = mkdtempSync(join(tmpdir(), "ostiary-google-"));
  try {
    const name = "google/rpc/error_details.proto";
    cpSync(join("node_modules/google-proto-files", name), join(google, name), { recursive: true });
    const bytesOf = (folder: string) => toBinary(FileDescriptorProtoSchema, compiled(folder, name));
    expect(bytesOf("proto")).toEqual(bytesOf(google));
  } finally {
    rmSync(google, { recursive: true });
  }
  const { options } = compiled("proto", "buf/validate/validate.proto");
  expect(options).toEqual(file_buf_validate_validate.proto.options);
});

test("it holds nothing of the configuration file, whose schema is a module of its own", () => {
  const files = readdirSync("proto", { recursive: true, encoding: "utf8" });
  for (const file of files.filter((name) => name.startsWith("ostiary/") && name.endsWith(".proto"))) {
    expect(readFileSync(join("proto", file), "utf8"), file).not.toMatch(/ostiary[./]config/);
  }
});

test("both packages carry the folder", () => {
  for (const name of ["package.json", "sdk/typescript/package.json"]) {
    expect(JSON.parse(readFileSync(name, "utf8")).files).toContain("proto");
  }
});
