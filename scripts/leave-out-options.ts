// SPDX-License-Identifier: Apache-2.0
import { fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import {
  type DescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

/** The options that only servers read, by the numbers of their extensions: the validation rules and `ostiary.option.v1`. */
const serverOptions: ReadonlySet<number> = new Set([1159, 78413]);

/** The files that define them, as generated code imports them. */
const definitions = [
  "file_buf_validate_validate",
  "file_ostiary_option_v1_message_option",
  "file_ostiary_option_v1_option",
];

/**
 * Takes the options that only servers read out of the code of a generated file, and the imports of the files that define them.
 * The descriptor of validate.proto alone is a third of what a web page would load, and its package brings a CEL interpreter.
 */
export function leaveOutServerOptions(code: string): string {
  let text = code.replace(
    /\bfileDesc\("([^"]+)"/,
    (_all, descriptor: string) => `fileDesc("${withoutServerOptions(descriptor)}"`,
  );
  for (const definition of definitions) {
    text = text
      .replace(new RegExp(`^import \\{ ${definition} \\}.*\\n`, "m"), "")
      .replace(new RegExp(`(fileDesc\\("[^"]+", \\[[^\\]]*?)\\b${definition}(, )?`), "$1");
  }
  if (text.includes("buf/validate/")) throw new Error("a generated file still imports the validation rules");
  return text;
}

function withoutServerOptions(descriptor: string): string {
  const file = fromBinary(FileDescriptorProtoSchema, base64Decode(descriptor));
  const owners = [
    ...messagesOf(file).flatMap((message) => [message, ...message.field, ...message.oneofDecl]),
    ...file.service.flatMap((service) => [service, ...service.method]),
  ];
  for (const owner of owners) removeServerOptions(owner);
  return base64Encode(toBinary(FileDescriptorProtoSchema, file), "std_raw");
}

function messagesOf(file: FileDescriptorProto): readonly DescriptorProto[] {
  const withNested = (message: DescriptorProto): DescriptorProto[] => [
    message,
    ...message.nestedType.flatMap(withNested),
  ];
  return file.messageType.flatMap(withNested);
}

/** The options messages know nothing of the extensions, so these are among their unknown fields. */
function removeServerOptions(owner: { options?: Message | undefined }): void {
  const { options } = owner;
  if (options === undefined) return;
  options.$unknown = options.$unknown?.filter(({ no }) => !serverOptions.has(no));
  const { $typeName: _name, ...left } = options;
  const isEmpty = Object.values(left).every((value) => Array.isArray(value) && value.length === 0);
  if (isEmpty) owner.options = undefined;
}
