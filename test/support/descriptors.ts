import { type DescFile, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Copies of files that can be changed, with all that they import, by their names. What a file imports comes before it. */
export function copiesOf(...files: readonly DescFile[]): Map<string, FileDescriptorProto> {
  const copies = new Map<string, FileDescriptorProto>();
  const add = ({ proto, dependencies }: DescFile) => {
    if (copies.has(proto.name)) return;
    for (const dependency of dependencies) add(dependency);
    copies.set(proto.name, fromBinary(FileDescriptorProtoSchema, toBinary(FileDescriptorProtoSchema, proto)));
  };
  for (const file of files) add(file);
  return copies;
}
