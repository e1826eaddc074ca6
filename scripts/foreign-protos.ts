// SPDX-License-Identifier: Apache-2.0
// Writes the sources of the foreign protos into .cache/proto, which is never committed: buf, and clients that load
// proto files, need them beside ours. No package carries all of them as sources.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { printProtoFile } from "./print-proto.ts";

const cache = ".cache/proto";

rmSync(cache, { recursive: true, force: true });
mkdirSync(`${cache}/buf/validate`, { recursive: true });
writeFileSync(`${cache}/buf/validate/validate.proto`, printProtoFile(file_buf_validate_validate));

// The foreign protos that we serve or send; their packages carry the sources.
const copies: Record<string, string> = {
  "google/rpc/error_details.proto": "google-proto-files/google/rpc/error_details.proto",
  "grpc/health/v1/health.proto": "grpc-health-check/proto/health/v1/health.proto",
  "grpc/reflection/v1/reflection.proto": "@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto",
  "grpc/reflection/v1alpha/reflection.proto":
    "@grpc/reflection/build/proto/grpc/reflection/v1alpha/reflection.proto",
};
for (const [target, source] of Object.entries(copies)) {
  cpSync(`node_modules/${source}`, `${cache}/${target}`, { recursive: true });
}
