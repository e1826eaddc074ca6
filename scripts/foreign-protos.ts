// SPDX-License-Identifier: Apache-2.0
// Writes the foreign protos. What ours import is printed into proto/ from descriptors, and checked in, so that any
// compiler generates from a clone or a package without looking elsewhere. What only the suite's clients load is copied
// from packages into .cache/proto, which is never committed.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createFileRegistry, type DescFile, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { printProtoFile } from "./print-proto.ts";

const rpcDetails = "google/rpc/error_details.proto";

printInto(
  "buf/validate/validate.proto",
  file_buf_validate_validate,
  "https://github.com/bufbuild/protovalidate",
);
printInto(rpcDetails, compile(rpcDetails), "https://github.com/googleapis/googleapis");

execFileSync("node_modules/.bin/buf", ["format", "-w", "proto"]);

const cache = ".cache/proto";
rmSync(cache, { recursive: true, force: true });
for (const [target, source] of [
  ["grpc/health/v1/health.proto", "grpc-health-check/proto/health/v1/health.proto"],
  ["grpc/reflection/v1/reflection.proto", "@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto"],
  [
    "grpc/reflection/v1alpha/reflection.proto",
    "@grpc/reflection/build/proto/grpc/reflection/v1alpha/reflection.proto",
  ],
]) {
  cpSync(`node_modules/${source}`, `${cache}/${target}`, { recursive: true });
}

function printInto(name: string, file: DescFile, origin: string): void {
  const header = `Generated from the descriptor of ${origin}, which has the commented source. DO NOT EDIT.`;
  mkdirSync(join("proto", dirname(name)), { recursive: true });
  writeFileSync(join("proto", name), printProtoFile(file, header));
}

/** The descriptor of a proto that google-proto-files carries. */
function compile(name: string): DescFile {
  const folder = mkdtempSync(join(tmpdir(), "ostiary-proto-"));
  try {
    cpSync(`node_modules/google-proto-files/${name}`, join(folder, name), { recursive: true });
    const image = execFileSync("node_modules/.bin/buf", [
      "build",
      folder,
      "--as-file-descriptor-set",
      "-o",
      "-",
    ]);
    const file = createFileRegistry(fromBinary(FileDescriptorSetSchema, image)).getFile(name);
    if (file === undefined) throw new Error(`${name} was not compiled`);
    return file;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
