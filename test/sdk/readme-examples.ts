import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectWithInstalledModules, run, unpack } from "./packages.ts";

/** The TypeScript blocks of a page, in order. */
export function examplesOf(page: string): readonly string[] {
  return [...readFileSync(page, "utf8").matchAll(/```tsx?\n(.*?)```/gs)].map(([, code = ""]) => code);
}

/**
 * Compiles examples strictly, each as a module of its own, in a project that has the packed SDK. Gives the paths of what
 * Node can run, in the same order.
 */
export function compileExamples(
  examples: readonly string[],
  tarball: string,
  project: string,
): readonly string[] {
  mkdirSync(project);
  projectWithInstalledModules(project);
  unpack(tarball, join(project, "node_modules/@ostiary/sdk"));
  writeFileSync(join(project, "package.json"), '{"type":"module"}');
  writeFileSync(join(project, "surroundings.d.ts"), surroundings);
  examples.forEach((code, index) => {
    const extension = code.includes("@ostiary/sdk/react") ? "tsx" : "ts";
    writeFileSync(join(project, `example-${index}.${extension}`), `${code}\nexport {};\n`);
  });
  const compilerOptions = {
    module: "nodenext",
    target: "es2022",
    lib: ["es2023", "dom", "dom.iterable"],
    types: ["node"],
    jsx: "react-jsx",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    rootDir: ".",
    outDir: "out",
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  run("tsc", ["-p", "tsconfig.json"], project);
  return examples.map((_, index) => join(project, `out/example-${index}.js`));
}

/** What the examples leave to their reader. */
const surroundings = `
declare function draw(flow: import("@ostiary/sdk/v1/flow").Flow): string;
declare const sockets: {
  handleUpgrade(
    request: import("node:http").IncomingMessage,
    socket: import("node:stream").Duplex,
    head: Buffer,
    opened: (webSocket: { send(text: string): void }) => void,
  ): void;
};
declare const GreetService: import("@bufbuild/protobuf/codegenv2").GenService<{
  greet: {
    methodKind: "unary";
    input: import("@bufbuild/protobuf/codegenv2").GenMessage<import("@bufbuild/protobuf").Message<"GreetRequest">>;
    output: import("@bufbuild/protobuf/codegenv2").GenMessage<
      import("@bufbuild/protobuf").Message<"GreetResponse"> & { greeting: string }
    >;
  };
}>;
`;
