import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { architecturePage } from "../../scripts/generate-architecture.ts";
import {
  circleIn,
  domainFolderOf,
  graphOf,
  importsIn,
  roomOf,
  sourceFiles,
} from "../../scripts/import-graph.ts";

/**
 * Which rooms a room may import, as the map in the README draws it. A room not named here may import nothing of
 * ours but its own files.
 */
const allowed: Record<string, readonly string[]> = {
  "src/main.ts": ["src/cli"],
  "src/app.ts": ["*"],
  "src/app-types.ts": ["src/config", "src/domain", "src/transport"],
  "src/app-domain.ts": ["src/app-types.ts", "src/domain", "src/crypto", "src/storage", "src/outbound"],
  "src/app-services.ts": ["src/app-domain.ts", "src/transport", "gen"],
  "src/app-settings.ts": ["src/config", "src/domain", "gen"],
  "src/app-courier.ts": ["src/app-types.ts", "src/config", "src/domain", "src/outbound", "src/transport"],
  "src/app-prepare.ts": [
    "src/app-courier.ts",
    "src/app-services.ts",
    "src/app-settings.ts",
    "src/app-types.ts",
    "src/config",
    "src/crypto",
    "src/domain",
    "src/outbound",
    "src/transport",
  ],
  "src/app-preview.ts": [
    "src/app-domain.ts",
    "src/app-prepare.ts",
    "src/app-settings.ts",
    "src/config",
    "src/crypto",
    "src/domain",
    "src/preview",
    "src/transport",
  ],
  "src/app-doctor.ts": [
    "src/app-courier.ts",
    "src/app-prepare.ts",
    "src/app-settings.ts",
    "src/app-types.ts",
    "src/config",
    "src/domain",
    "src/outbound",
    "src/storage",
  ],
  "src/app-metrics.ts": ["src/domain", "src/transport"],
  "src/app-listeners.ts": ["src/app-types.ts", "src/transport", "src/domain", "gen"],
  "src/cli": [
    "src/app.ts",
    "src/app-courier.ts",
    "src/app-doctor.ts",
    "src/app-metrics.ts",
    "src/app-prepare.ts",
    "src/app-preview.ts",
    "src/app-types.ts",
    "src/config",
    "src/domain",
    "src/crypto",
    "gen",
  ],
  "src/preview": ["src/domain", "src/transport", "gen"],
  "src/config": ["gen", "src/domain"],
  "src/domain": [],
  "src/crypto": ["src/domain"],
  "src/storage": ["src/domain"],
  "src/outbound": ["src/domain"],
  "src/transport": ["src/domain", "gen"],
  "src/transport/net": ["src/domain"],
  "src/transport/rpc": ["src/transport/net", "src/domain", "gen"],
  "src/transport/metrics": ["src/domain"],
  "src/transport/pages": ["src/transport/net", "src/domain"],
  "sdk/typescript/src": ["gen"],
  "ui/src": [],
};

/**
 * The inner order of src/domain: each folder, and which of those named before it it may import. All may import the files beside
 * the folders, which import none of them.
 */
const domainOrder: Record<string, readonly string[]> = {
  base: [],
  identifier: [],
  paging: [],
  idempotency: [],
  provider: [],
  tenant: ["provider"],
  event: ["paging", "tenant"],
  access: ["event", "paging", "tenant"],
  courier: ["event", "identifier", "paging", "tenant"],
  identity: ["courier", "event", "identifier", "paging", "tenant"],
  "user-message": ["identity"],
  session: ["event", "identity", "paging", "tenant"],
  "forward-auth": ["session", "tenant"],
  "signed-token": ["identity", "provider", "session", "tenant"],
  oauth2: ["session", "tenant"],
  throttle: ["event", "identifier", "identity", "session", "tenant"],
  form: ["identity", "user-message"],
  invitation: ["courier", "event", "form", "identifier", "identity", "paging", "tenant"],
  method: [
    "courier",
    "event",
    "form",
    "identifier",
    "identity",
    "provider",
    "user-message",
    "session",
    "tenant",
    "throttle",
  ],
  flow: [
    "courier",
    "event",
    "form",
    "identifier",
    "identity",
    "invitation",
    "user-message",
    "method",
    "oauth2",
    "paging",
    "provider",
    "session",
    "tenant",
    "throttle",
  ],
};

describe("the map of rooms", () => {
  test.each(Object.keys(allowed))("%s imports only what the map allows", (room) => {
    const forbidden = importsOf(room).filter(({ target }) => !isAllowed(room, target));
    expect(forbidden).toEqual([]);
  });

  test("names every file below src", () => {
    const rooms = Object.keys(allowed);
    const homeless = sourceFiles("src").filter(
      (file) => !rooms.some((room) => file === room || file.startsWith(`${room}/`)),
    );
    expect(homeless).toEqual([]);
  });

  test("would notice an arrow in the wrong direction", () => {
    expect(isAllowed("src/domain", "src/storage/storage.ts")).toBe(false);
    expect(isAllowed("src/storage", "src/domain/errors.ts")).toBe(true);
  });

  test("the pages import the SDK and React, and nothing else from elsewhere", () => {
    const packages = packagesOf("ui/src").filter(
      (name) => !/^(@ostiary\/sdk|react|react-dom)(\/|$)/.test(name),
    );
    expect(packages).toEqual([]);
    expect(packagesOf("ui/src")).toContain("@ostiary/sdk/form");
  });

  test("the SDK is free of React but for its component, of jose but for its verifier, and of the other packages that only a server has", () => {
    const files = sourceFiles("sdk/typescript/src");
    const having = (name: string) => files.filter((file) => packagesIn(file).includes(name));
    expect(having("react").every((file) => file.startsWith("sdk/typescript/src/react"))).toBe(true);
    expect(having("jose").every((file) => file.startsWith("sdk/typescript/src/tokens/"))).toBe(true);
    const packages = packagesOf("sdk/typescript/src").filter((name) => !name.startsWith("node:"));
    expect(
      packages.filter((name) => !/^(@bufbuild\/protobuf|@connectrpc\/|react$|jose$)/.test(name)),
    ).toEqual([]);
  });

  test("no flow kind imports a concrete method, and no method another one", () => {
    const methodFolder = /^src\/domain\/method\/([^/]+)\//;
    const wrong = importsOf("src/domain").filter(({ file, target }) => {
      const targetMethod = methodFolder.exec(target)?.[1];
      if (targetMethod === undefined) return false;
      const ownMethod = methodFolder.exec(file)?.[1];
      return file.startsWith("src/domain/flow/") || (ownMethod !== undefined && ownMethod !== targetMethod);
    });
    expect(wrong).toEqual([]);
  });

  test("the server loads MikroORM only when it migrates: it would cost 69 MB and 0.7 s of CPU", async () => {
    expect(await packagesLoadedBy("src/app.ts")).not.toContain("@mikro-orm");
    expect(await packagesLoadedBy("src/app.ts")).toContain("pg");
    expect(await packagesLoadedBy("src/storage/mikro-orm.ts")).toContain("@mikro-orm");
  });

  test("only main.ts and the command line read the environment or the arguments", () => {
    const readers = sourceFiles("src").filter(
      (file) =>
        !file.startsWith("src/cli/") &&
        file !== "src/main.ts" &&
        /process\.(env|argv)\b/.test(readFileSync(file, "utf8")),
    );
    expect(readers).toEqual([]);
  });
});

describe("the inner order of src/domain", () => {
  const graph = graphOf(importsOf("src/domain"), domainFolderOf);

  test.each(Object.keys(domainOrder))("%s imports only what the order allows", (folder) => {
    const allowed = ["base", ...(domainOrder[folder] ?? [])];
    expect([...(graph.get(folder) ?? [])].filter((target) => !allowed.includes(target))).toEqual([]);
  });

  test("names every folder, each after all that it may import, so that there is no circle", () => {
    const folders = Object.keys(domainOrder);
    expect([...graph.keys()].filter((folder) => !folders.includes(folder))).toEqual([]);
    const upward = folders.filter((folder, place) =>
      domainOrder[folder]?.some((target) => !folders.slice(0, place).includes(target)),
    );
    expect(upward).toEqual([]);
    expect(circleIn(graph)).toEqual([]);
  });

  test("would notice a circle", () => {
    const circle = graphOf(
      [
        { file: "src/domain/identity/a.ts", target: "src/domain/courier/b.ts" },
        { file: "src/domain/courier/c.ts", target: "src/domain/identity/d.ts" },
        { file: "src/domain/flow/e.ts", target: "src/domain/ids.ts" },
      ],
      domainFolderOf,
    );
    expect(circleIn(circle)).toEqual(["identity", "courier"]);
  });
});

test("no rooms import each other", () => {
  expect(circleIn(graphOf(importsOf("src"), roomOf))).toEqual([]);
});

test("docs/architecture.md shows the imports as they are: `make generate` writes them", () => {
  expect(readFileSync("docs/architecture.md", "utf8")).toBe(architecturePage());
});

function isAllowed(room: string, target: string): boolean {
  if (target === room || target.startsWith(`${room}/`)) return true;
  return (allowed[room] ?? []).some(
    (other) => other === "*" || target === other || target.startsWith(`${other}/`),
  );
}

function importsOf(room: string) {
  return importsIn(room.endsWith(".ts") ? [room] : sourceFiles(room));
}

/** The packages that a process has loaded once it has loaded a file. */
async function packagesLoadedBy(file: string): Promise<string[]> {
  const script = `
    import { registerHooks } from "node:module";
    const packages = new Set();
    registerHooks({
      load: (url, context, next) => {
        packages.add(/node_modules\\/([^/]+)/.exec(url)?.[1]);
        return next(url, context);
      },
    });
    await import(${JSON.stringify(pathToFileURL(file).href)});
    console.log(JSON.stringify([...packages]));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  return JSON.parse(stdout);
}

/** The packages that a room imports. */
function packagesOf(room: string): string[] {
  return [...new Set(sourceFiles(room).flatMap(packagesIn))];
}

function packagesIn(file: string): string[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/^(?:import|export)[^;]*?from "([^."][^"]*)"/gm)].map((match) => match[1] ?? "");
}

describe("what nobody uses", () => {
  // Migrations are found by their folder, and entities by their module.
  const files = sourceFiles("src").filter((file) => !/\/migrations\/|\/entities\.ts$/.test(file));
  const users = [
    ...["src", "test", "scripts", "bench"].flatMap(sourceFiles),
    ...globSync("{src,test}/**/*.test.ts"),
  ];

  test("is no file", () => {
    const imported = new Set(importsIn(users).map(({ target }) => target));
    expect(files.filter((file) => !imported.has(file))).toEqual(["src/main.ts"]);
  });

  test("is no exported function, class or constant", () => {
    const words = users.map((user) => ({
      user,
      used: new Set(readFileSync(user, "utf8").match(/[A-Za-z_$][\w$]*/g)),
    }));
    const unused = files.flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/^export (?:async )?(?:function\*?|class|const) (\w+)/gm)]
        .map(([, name = ""]) => ({ file, name }))
        .filter(({ name }) => !words.some(({ user, used }) => user !== file && used.has(name))),
    );
    expect(unused).toEqual([]);
  });
});
