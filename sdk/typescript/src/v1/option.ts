// SPDX-License-Identifier: Apache-2.0
// The generated types of `ostiary.option.v1`: demands on a session, and the options that say who may call a method.
export * from "../../../../gen/ostiary/option/v1/demand_pb.js";
export * from "../../../../gen/ostiary/option/v1/message_option_pb.js";
export * from "../../../../gen/ostiary/option/v1/option_pb.js";
