import { globSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  fromBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";

const files = globSync("{proto,proto-config}/ostiary/**/*.proto").toSorted();
const linesOf = (file: string) => readFileSync(file, "utf8").split("\n");

describe("every proto of ours", () => {
  test("is looked at here", () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files).toContain("proto/ostiary/option/v1/option.proto");
  });

  test.each(files)("%s has the options of all languages, as its package has them", (file) => {
    const lines = linesOf(file);
    const [, area = ""] = /^proto(?:-config)?\/ostiary\/([a-z]+)\/v1\//.exec(file) ?? [];
    const name = area.charAt(0).toUpperCase() + area.slice(1);
    expect(lines).toContain(`package ostiary.${area}.v1;`);
    expect(lines.filter((line) => line.startsWith("option "))).toEqual([
      `option csharp_namespace = "Ostiary.${name}.V1";`,
      `option go_package = "ostiary.example/go/ostiary/${area}/v1;${area}v1";`,
      "option java_multiple_files = true;",
      `option java_package = "example.ostiary.${area}.v1";`,
      `option objc_class_prefix = "OST${name}";`,
      `option php_namespace = "Ostiary\\\\${name}\\\\V1";`,
      `option ruby_package = "Ostiary::${name}::V1";`,
      `option swift_prefix = "Ostiary${name}";`,
    ]);
  });

  test.each(files)("%s has no line of more than 130 characters", (file) => {
    expect(linesOf(file).filter((line) => line.length > 130)).toEqual([]);
  });
});

/** The descriptors of the contract's files, or of those of one area. */
async function generatedFiles(area = "*"): Promise<readonly DescFile[]> {
  const paths = globSync(`gen/ostiary/${area}/v1/*_pb.js`).filter((path) => !path.includes("/config/"));
  const modules = await Promise.all(paths.map((path) => import(pathToFileURL(path).href)));
  const isFile = (value: unknown): value is DescFile =>
    typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
  return modules.flatMap((module): unknown[] => Object.values(module)).filter(isFile);
}

test("the numbers of each message and enum have no hole that is not reserved", async () => {
  const within = (message: DescMessage): readonly (DescMessage | DescEnum)[] => [
    message,
    ...message.nestedEnums,
    ...message.nestedMessages.flatMap(within),
  ];
  const types = (await generatedFiles()).flatMap((file) => [...file.enums, ...file.messages.flatMap(within)]);
  expect(types.length).toBeGreaterThan(150);
  const holes = types.flatMap((type) => {
    const members: readonly { readonly number: number }[] = type.kind === "enum" ? type.values : type.fields;
    const numbers = new Set(members.map(({ number }) => number));
    // The end of a range belongs to it in an enum alone.
    const beyond = type.kind === "enum" ? 1 : 0;
    for (const { start, end } of type.proto.reservedRange)
      for (let number = start; number < end + beyond; number++) numbers.add(number);
    return Array.from({ length: Math.max(0, ...numbers) }, (_, index) => index + 1)
      .filter((number) => !numbers.has(number))
      .map((number) => `${type.typeName} ${number}`);
  });
  expect(holes).toEqual([]);
});

// Programs of other teams import these options beside their own: two with one number end both at start.
test("the options that other teams import have one number, of those that are registered, and no round one", async () => {
  const options = await generatedFiles("option");
  const extensions = options.flatMap((file): readonly DescExtension[] => file.extensions);
  expect(extensions.map(({ extendee }) => extendee.name).toSorted()).toEqual([
    "MessageOptions",
    "MethodOptions",
    "ServiceOptions",
  ]);
  const [number = 0, ...others] = new Set(extensions.map((extension) => extension.number));
  expect(others).toEqual([]);
  expect(number).toBeGreaterThanOrEqual(60_000);
  expect(number).toBeLessThanOrEqual(99_999);
  expect(number % 100).not.toBe(0);
  // `buf breaking` does not look at it.
  const image = fromBinary(FileDescriptorSetSchema, readFileSync("buf.baseline.binpb"));
  const published = image.file.filter((file) => file.package === "ostiary.option.v1");
  const before = published.flatMap((file) => file.extension).map((extension) => extension.number);
  expect(before).toEqual([number, number, number]);
});

test("only the options and the schema of the configuration extend what descriptor.proto declares", () => {
  const extending = files.filter((file) => readFileSync(file, "utf8").includes("extend google.protobuf."));
  const areas = new Set(extending.map((file) => file.split("/").at(-3)));
  expect([...areas].toSorted()).toEqual(["config", "option"]);
});
