// SPDX-License-Identifier: Apache-2.0
// The generated types of `ostiary.error.v1`: the reasons of errors and of wrong fields, and the details.
export * from "../../../../gen/ostiary/error/v1/error_detail_pb.js";
export * from "../../../../gen/ostiary/error/v1/error_reason_pb.js";
export * from "../../../../gen/ostiary/error/v1/field_violation_pb.js";
