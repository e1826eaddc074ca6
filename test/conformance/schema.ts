// The conformance protos as descriptors, read at run time: they belong to the suite's Go module and are not copied here.
import { readFileSync } from "node:fs";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescService,
  fromBinary,
  type Message,
  setExtension,
} from "@bufbuild/protobuf";
import {
  type Any,
  FileDescriptorSetSchema,
  MethodOptionsSchema,
  ServiceOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import {
  Listener,
  MethodOptionSchema,
  method as methodOption,
  ServiceOptionSchema,
  service as serviceOption,
} from "../../gen/ostiary/option/v1/option_pb.js";

const image = new URL("../../.cache/conformance/descriptors.binpb", import.meta.url);

/** All types of the suite; also what an Any may hold. */
export const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(image)));

/** ConformanceService, declared open to anyone on the public listener. */
export const conformanceService = openToAnyone(registry.getService(nameOf("ConformanceService")));

/** The parts of the suite's messages that the service uses. */
export interface HeaderField {
  readonly name: string;
  readonly value: readonly string[];
}
export interface RequestedError {
  readonly code: number;
  readonly message?: string;
  readonly details: readonly Any[];
}
interface Definition {
  readonly responseHeaders: readonly HeaderField[];
  readonly responseTrailers: readonly HeaderField[];
  readonly responseDelayMs: number;
}
export interface UnaryDefinition extends Definition {
  readonly response:
    | { readonly case: "responseData"; readonly value: Uint8Array }
    | { readonly case: "error"; readonly value: RequestedError }
    | { readonly case: undefined };
}
export interface StreamDefinition extends Definition {
  readonly responseData: readonly Uint8Array[];
  readonly error?: RequestedError;
}
export interface UnaryRequest extends Message {
  readonly responseDefinition?: UnaryDefinition;
}
export interface StreamRequest extends Message {
  readonly responseDefinition?: StreamDefinition;
  /** Of bidirectional streams only. */
  readonly fullDuplex?: boolean;
}
export interface ServerCompatRequest extends Message {
  readonly useTls: boolean;
  readonly messageReceiveLimit: number;
  readonly serverCreds?: { readonly cert: Uint8Array; readonly key: Uint8Array };
}

/** A message type of the suite. */
export function messageType(name: string): DescMessage {
  const type = registry.getMessage(nameOf(name));
  if (type === undefined) throw new Error(`the suite has no message ${name}`);
  return type;
}

function nameOf(name: string): string {
  return `connectrpc.conformance.v1.${name}`;
}

/** Declares what our own protos declare in their files, so that the listener serves it by the rule of all others. */
function openToAnyone(service: DescService | undefined): DescService {
  if (service === undefined) throw new Error("the suite has no ConformanceService");
  service.proto.options ??= create(ServiceOptionsSchema);
  setExtension(
    service.proto.options,
    serviceOption,
    create(ServiceOptionSchema, { listener: Listener.PUBLIC }),
  );
  for (const { proto } of service.methods) {
    proto.options ??= create(MethodOptionsSchema);
    setExtension(
      proto.options,
      methodOption,
      create(MethodOptionSchema, { access: { caller: { case: "anyone", value: {} } } }),
    );
  }
  return service;
}
