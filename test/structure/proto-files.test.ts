import { globSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { type DescExtension, type DescFile, fromBinary } from "@bufbuild/protobuf";
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

// Programs of other teams import these options beside their own: two with one number end both at start.
test("the options that other teams import have one number, of those that are registered, and no round one", async () => {
  const generated = await Promise.all(
    globSync("gen/ostiary/option/v1/*_pb.js").map((path) => {
      const url = pathToFileURL(path).href;
      return import(url);
    }),
  );
  const values = generated.flatMap((module): unknown[] => Object.values(module));
  const isFile = (value: unknown): value is DescFile =>
    typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
  const extensions = values.filter(isFile).flatMap((file): readonly DescExtension[] => file.extensions);
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
