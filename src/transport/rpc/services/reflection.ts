import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "../../../../gen/google/rpc/error_details_pb.js";
import type { ServerReflectionRequest } from "../../../../gen/grpc/reflection/v1/reflection_pb.js";
import type { ServerReflectionRequest as ServerReflectionRequestAlpha } from "../../../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { file_ostiary_error_v1_error_detail } from "../../../../gen/ostiary/error/v1/error_detail_pb.js";
import { file_ostiary_error_v1_error_reason } from "../../../../gen/ostiary/error/v1/error_reason_pb.js";

/** No method names the details of errors, so that nothing would lead to them; tools ask for them to show errors. */
const errorFiles = [
  file_google_rpc_error_details,
  file_ostiary_error_v1_error_detail,
  file_ostiary_error_v1_error_reason,
];

/** A request of either version; they differ in the package only. */
type Request = ServerReflectionRequest | ServerReflectionRequestAlpha;

/**
 * grpc.reflection.v1 and v1alpha of one listener. It shows the services of this listener and what their messages
 * need, so the public listener does not even name the admin services.
 */
export class ReflectionService {
  readonly #services: readonly DescService[];
  #index: Index | undefined;

  constructor({ services }: { services: readonly DescService[] }) {
    this.#services = services;
  }

  /** Answers one question after the other. A file is sent once a stream, with the files that it imports. */
  async *serverReflectionInfo(requests: AsyncIterable<Request>) {
    const sent = new Set<string>();
    for await (const request of requests) {
      const { host } = request;
      yield {
        validHost: host,
        originalRequest: { host, messageRequest: withoutType(request.messageRequest) },
        messageResponse: this.#answer(request.messageRequest, sent),
      };
    }
  }

  #answer(question: Request["messageRequest"], sent: Set<string>) {
    // Made at the first question: most servers are never asked.
    this.#index ??= buildIndex(this.#services);
    const { files, symbols, extensions } = this.#index;
    switch (question.case) {
      case "listServices": {
        const service = this.#services.map(({ typeName }) => ({ name: typeName }));
        return { case: "listServicesResponse" as const, value: { service } };
      }
      case "fileByFilename":
        return answerFile(files.get(question.value), sent);
      case "fileContainingSymbol":
        return answerFile(symbols.get(question.value.replace(/^\./, "")), sent);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        return answerFile(extensions.get(containingType)?.get(extensionNumber), sent);
      }
      case "allExtensionNumbersOfType": {
        const baseTypeName = question.value;
        const numbers = extensions.get(baseTypeName);
        if (numbers === undefined && !symbols.has(baseTypeName)) return notFound();
        const extensionNumber = [...(numbers?.keys() ?? [])];
        return { case: "allExtensionNumbersResponse" as const, value: { baseTypeName, extensionNumber } };
      }
      case undefined:
        return failure(Code.InvalidArgument, "the request asks for nothing that is known");
      default: {
        const unreachable: never = question;
        return unreachable;
      }
    }
  }
}

interface Index {
  readonly files: ReadonlyMap<string, DescFile>;
  readonly symbols: ReadonlyMap<string, DescFile>;
  /** By the extended message, then by number. */
  readonly extensions: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

function buildIndex(services: readonly DescService[]): Index {
  const files = new Map<string, DescFile>();
  for (const service of services) collectFiles(service.file, files);
  for (const file of errorFiles) collectFiles(file, files);
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const file of files.values()) {
    for (const type of nestedTypes(file)) {
      symbols.set(type.typeName, file);
      if (type.kind === "message")
        for (const field of type.fields) symbols.set(`${type.typeName}.${field.name}`, file);
      if (type.kind === "service")
        for (const method of type.methods) symbols.set(`${type.typeName}.${method.name}`, file);
      if (type.kind === "extension") {
        const extended = type.extendee.typeName;
        const numbers = extensions.get(extended) ?? new Map<number, DescFile>();
        extensions.set(extended, numbers.set(type.number, file));
      }
    }
  }
  return { files, symbols, extensions };
}

function collectFiles(file: DescFile, into: Map<string, DescFile>): void {
  if (into.has(file.proto.name)) return;
  into.set(file.proto.name, file);
  for (const dependency of file.dependencies) collectFiles(dependency, into);
}

const encodedFiles = new WeakMap<DescFile, Uint8Array>();

function encodeFile(file: DescFile): Uint8Array {
  let bytes = encodedFiles.get(file);
  if (bytes === undefined) {
    bytes = toBinary(FileDescriptorProtoSchema, file.proto);
    encodedFiles.set(file, bytes);
  }
  return bytes;
}

function answerFile(file: DescFile | undefined, sent: Set<string>) {
  if (file === undefined) return notFound();
  const needed = new Map<string, DescFile>();
  collectFiles(file, needed);
  // The file that was asked for comes first, and is sent again if it is asked for again.
  const fresh = [...needed.values()].filter((other) => other === file || !sent.has(other.proto.name));
  for (const { proto } of fresh) sent.add(proto.name);
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto: fresh.map(encodeFile) } };
}

function notFound() {
  return failure(Code.NotFound, "not found");
}

function failure(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}

/** The question as an initialiser, so that either version's response takes it. */
function withoutType(question: Request["messageRequest"]) {
  if (question.case !== "fileContainingExtension") return question;
  const { containingType, extensionNumber } = question.value;
  return { case: question.case, value: { containingType, extensionNumber } };
}
