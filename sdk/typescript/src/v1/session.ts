// SPDX-License-Identifier: Apache-2.0
// The generated types of `ostiary.session.v1`: sessions, for their holders and for operators.
export * from "../../../../gen/ostiary/session/v1/session_admin_service_pb.js";
export * from "../../../../gen/ostiary/session/v1/session_feed_service_pb.js";
export * from "../../../../gen/ostiary/session/v1/session_pb.js";
export * from "../../../../gen/ostiary/session/v1/session_service_pb.js";
