// SPDX-License-Identifier: Apache-2.0
// The generated types of `ostiary.access.v1`: API keys and throttling.
export * from "../../../../gen/ostiary/access/v1/api_key_pb.js";
export * from "../../../../gen/ostiary/access/v1/api_key_service_pb.js";
export * from "../../../../gen/ostiary/access/v1/throttle_pb.js";
export * from "../../../../gen/ostiary/access/v1/throttle_service_pb.js";
