// SPDX-License-Identifier: Apache-2.0
// The generated types of `ostiary.courier.v1`: what became of mail and text messages.
export * from "../../../../gen/ostiary/courier/v1/courier_message_pb.js";
export * from "../../../../gen/ostiary/courier/v1/courier_service_pb.js";
