// SPDX-License-Identifier: Apache-2.0
// The generated types of `ostiary.common.v1`: nouns that several packages share.
export * from "../../../../gen/ostiary/common/v1/method_kind_pb.js";
export * from "../../../../gen/ostiary/common/v1/position_pb.js";
