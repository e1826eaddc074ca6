// SPDX-License-Identifier: Apache-2.0
import type { DescEnum, DescExtension, DescField, DescFile, DescMessage } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";

const scalarNames: Partial<Record<Type, string>> = {
  [Type.DOUBLE]: "double",
  [Type.FLOAT]: "float",
  [Type.INT64]: "int64",
  [Type.UINT64]: "uint64",
  [Type.INT32]: "int32",
  [Type.FIXED64]: "fixed64",
  [Type.FIXED32]: "fixed32",
  [Type.BOOL]: "bool",
  [Type.STRING]: "string",
  [Type.BYTES]: "bytes",
  [Type.UINT32]: "uint32",
  [Type.SFIXED32]: "sfixed32",
  [Type.SFIXED64]: "sfixed64",
  [Type.SINT32]: "sint32",
  [Type.SINT64]: "sint64",
};

/**
 * Prints the source form of a proto2 file from its descriptor, without options and comments: as much as a
 * compiler needs to resolve references to it. Maps and groups are not supported; an unknown construct throws.
 */
export function printProtoFile(file: DescFile): string {
  if (file.edition !== 998) throw new Error(`${file.name}: only proto2 files can be printed`);
  const lines = ['syntax = "proto2";', `package ${file.proto.package};`];
  for (const dependency of file.proto.dependency) lines.push(`import "${dependency}";`);
  for (const message of file.messages) printMessage(message, lines, "");
  for (const enumeration of file.enums) printEnum(enumeration, lines, "");
  for (const extension of file.extensions) {
    lines.push(`extend .${extension.extendee.typeName} {`, `  ${fieldText(extension)}`, "}");
  }
  return `${lines.join("\n")}\n`;
}

function printMessage(message: DescMessage, lines: string[], indent: string): void {
  lines.push(`${indent}message ${message.name} {`);
  const inner = `${indent}  `;
  for (const nested of message.nestedMessages) printMessage(nested, lines, inner);
  for (const nested of message.nestedEnums) printEnum(nested, lines, inner);
  for (const member of message.members) {
    if (member.kind === "field") {
      lines.push(inner + fieldText(member));
      continue;
    }
    lines.push(`${inner}oneof ${member.name} {`);
    for (const field of member.fields) lines.push(`${inner}  ${fieldText(field)}`);
    lines.push(`${inner}}`);
  }
  for (const range of message.proto.extensionRange) {
    const last = range.end > 536870911 ? "max" : String((range.end ?? 0) - 1);
    lines.push(`${inner}extensions ${range.start} to ${last};`);
  }
  lines.push(`${indent}}`);
}

function printEnum(enumeration: DescEnum, lines: string[], indent: string): void {
  lines.push(`${indent}enum ${enumeration.name} {`);
  for (const value of enumeration.values) lines.push(`${indent}  ${value.name} = ${value.number};`);
  lines.push(`${indent}}`);
}

function fieldText(field: DescField | DescExtension): string {
  const proto = field.proto;
  if (field.fieldKind === "map" || proto.type === Type.GROUP) throw new Error(`cannot print ${field.name}`);
  const type = scalarNames[proto.type] ?? proto.typeName;
  const inOneof = field.kind === "field" && field.oneof !== undefined;
  const label = proto.label === Label.REPEATED ? "repeated " : inOneof ? "" : "optional ";
  return `${label}${type} ${field.name} = ${field.number};`;
}
