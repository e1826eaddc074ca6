// SPDX-License-Identifier: Apache-2.0
import type { DescEnum, DescExtension, DescField, DescFile, DescMessage } from "@bufbuild/protobuf";
import {
  Edition,
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

const syntaxes: Partial<Record<Edition, string>> = {
  [Edition.EDITION_PROTO2]: "proto2",
  [Edition.EDITION_PROTO3]: "proto3",
};

/**
 * Prints the source form of a file from its descriptor, without comments and without options but those that name the code
 * that is generated: what a compiler needs to resolve references to it. Groups, services and editions are not supported; an
 * unknown construct throws.
 */
export function printProtoFile(file: DescFile, header: string): string {
  const syntax = syntaxes[file.edition];
  if (syntax === undefined || file.services.length > 0) throw new Error(`cannot print ${file.name}`);
  const lines = [`// ${header}`, `syntax = "${syntax}";`, "", `package ${file.proto.package};`, ""];
  for (const dependency of file.proto.dependency) lines.push(`import "${dependency}";`);
  const { goPackage, javaPackage, javaMultipleFiles, javaOuterClassname, objcClassPrefix } =
    file.proto.options ?? {};
  if (goPackage) lines.push(`option go_package = "${goPackage}";`);
  if (javaPackage) lines.push(`option java_package = "${javaPackage}";`);
  if (javaMultipleFiles) lines.push("option java_multiple_files = true;");
  if (javaOuterClassname) lines.push(`option java_outer_classname = "${javaOuterClassname}";`);
  if (objcClassPrefix) lines.push(`option objc_class_prefix = "${objcClassPrefix}";`);
  for (const message of file.messages) printMessage(message, lines, "");
  for (const enumeration of file.enums) printEnum(enumeration, lines, "");
  for (const extension of file.extensions) {
    lines.push("", `extend .${extension.extendee.typeName} {`, `  ${fieldText(extension)}`, "}");
  }
  return `${lines.join("\n")}\n`;
}

function printMessage(message: DescMessage, lines: string[], indent: string): void {
  // The entries of a map are a message that the compiler makes by itself.
  if (message.proto.options?.mapEntry) return;
  lines.push("", `${indent}message ${message.name} {`);
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
  lines.push("", `${indent}enum ${enumeration.name} {`);
  for (const value of enumeration.values) lines.push(`${indent}  ${value.name} = ${value.number};`);
  lines.push(`${indent}}`);
}

function fieldText(field: DescField | DescExtension): string {
  const { proto } = field;
  if (proto.type === Type.GROUP) throw new Error(`cannot print ${field.name}`);
  return `${labelOf(field)}${typeOf(field)} ${field.name} = ${field.number};`;
}

function typeOf(field: DescField | DescExtension): string {
  if (field.kind === "field" && field.fieldKind === "map") {
    // The scalar types of the library have the numbers of the descriptor's.
    const key = scalarNames[field.mapKey as number as Type];
    const value = field.mapKind === "scalar" ? scalarNames[field.scalar as number as Type] : undefined;
    if (key === undefined || value === undefined) throw new Error(`cannot print ${field.name}`);
    return `map<${key}, ${value}>`;
  }
  return scalarNames[field.proto.type] ?? field.proto.typeName;
}

function labelOf(field: DescField | DescExtension): string {
  if (field.kind === "field" && (field.fieldKind === "map" || field.oneof !== undefined)) return "";
  if (field.proto.label === Label.REPEATED) return "repeated ";
  const file = field.kind === "field" ? field.parent.file : field.file;
  return file.edition === Edition.EDITION_PROTO2 || field.proto.proto3Optional ? "optional " : "";
}
