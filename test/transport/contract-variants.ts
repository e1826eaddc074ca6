import {
  create,
  createFileRegistry,
  type DescService,
  type FileRegistry,
  setExtension,
} from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import type { SessionAccess } from "../../gen/ostiary/option/v1/option_pb.js";
import { method as methodOption, RateClass } from "../../gen/ostiary/option/v1/option_pb.js";
import { copiesOf } from "../support/descriptors.ts";

/** The number and the name that `newerContract` gives to the field that only it has. */
export const newerField = { number: 60, name: "newer" };

/** The contract of these services as a newer release may have it: each message has a field more, a text. */
export function newerContract(...services: readonly DescService[]): FileRegistry {
  return registryOf(services, (file) => {
    if (!file.package.startsWith("ostiary.")) return;
    for (const message of file.messageType) {
      message.field.push(
        create(FieldDescriptorProtoSchema, {
          ...newerField,
          jsonName: newerField.name,
          type: FieldDescriptorProto_Type.STRING,
          label: FieldDescriptorProto_Label.OPTIONAL,
        }),
      );
    }
  });
}

/** A service all of whose methods demand something of the caller's session. */
export function demandingService(service: DescService, demands: SessionAccess["demands"]): DescService {
  const registry = registryOf([service], (file) => {
    for (const { name, method: methods } of file.service) {
      if (`${file.package}.${name}` !== service.typeName) continue;
      for (const method of methods) {
        method.options ??= create(MethodOptionsSchema);
        setExtension(method.options, methodOption, {
          $typeName: "ostiary.option.v1.MethodOption",
          access: {
            $typeName: "ostiary.option.v1.Access",
            caller: { case: "session", value: { $typeName: "ostiary.option.v1.SessionAccess", demands } },
            rateClass: RateClass.CHECK,
          },
        });
      }
    }
  });
  return serviceOf(registry, service);
}

/** The service of another contract by the same name. */
export function serviceOf(registry: FileRegistry, { typeName }: DescService): DescService {
  const found = registry.getService(typeName);
  if (found === undefined) throw new Error(`there is no ${typeName}`);
  return found;
}

function registryOf(
  services: readonly DescService[],
  change: (file: FileDescriptorProto) => void,
): FileRegistry {
  const files = copiesOf(...services.map(({ file }) => file));
  for (const file of files.values()) change(file);
  return createFileRegistry({ $typeName: "google.protobuf.FileDescriptorSet", file: [...files.values()] });
}
