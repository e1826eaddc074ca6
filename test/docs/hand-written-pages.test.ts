import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import type { FlowCompleted, SignedIn } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { createOstiary, type Ostiary } from "../../sdk/typescript/src/index.ts";
import { freshEmail, goodPassword, sessionTokenOf, logIn as tryLogin } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { copyGoClient, goClient, isInstalled, outputOf, runProgram } from "../support/foreign.ts";
import { createPerson, personSchemas } from "../support/person.ts";

const text = await readFile("docs/hand-written-pages.md", "utf8");
/** The blocks of the page, by the file name in their first line. */
const pages = new Map(
  [...text.matchAll(/```(?:ts|go)\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(([, name = "", code = ""]) => [
    name,
    code,
  ]),
);
const withGo = await isInstalled("go", ["mod", "download"], { cwd: goClient });
const another = "another harbour lantern";

interface Page {
  readonly client: ClientKind;
  ask(what: string): Promise<string>;
  say(text: string): void;
}

interface Pages {
  logIn(ostiary: Ostiary, page: Page): Promise<SignedIn | undefined>;
  register(ostiary: Ostiary, page: Page): Promise<FlowCompleted | undefined>;
  verify(ostiary: Ostiary, page: Page, begun?: Flow): Promise<string | undefined>;
  recover(ostiary: Ostiary, page: Page): Promise<Flow | undefined>;
  changeSettings(ostiary: Ostiary, page: Page, begun?: Flow): Promise<string>;
}

let app: TestApp;
let folder: string;
let written: Pages;
beforeAll(async () => {
  app = await startTestApp({
    config: { tenant_defaults: { enumeration_safe: false, identity: { schemas: personSchemas } } },
  });
  // Within the checkout, so that its packages are found.
  await mkdir(".cache", { recursive: true });
  folder = await mkdtemp(resolve(".cache/hand-written-pages-"));
  const sdk = resolve("sdk/typescript/src");
  for (const [name, code] of pages) {
    const own = code
      .replaceAll('"@ostiary/sdk/v1/flow"', JSON.stringify(`${sdk}/v1/flow.ts`))
      .replaceAll('"@ostiary/sdk"', JSON.stringify(`${sdk}/index.ts`));
    await writeFile(join(folder, name), own);
  }
  await rm(join(folder, "login.go"));
  const compilerOptions = { allowImportingTsExtensions: true, rewriteRelativeImportExtensions: false };
  const tsconfig = {
    extends: resolve("tsconfig.json"),
    compilerOptions,
    include: [`${folder}/*.ts`],
    exclude: [],
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
  const load = (name: string) => import(join(folder, `${name}.ts`));
  written = Object.assign(
    {},
    ...(await Promise.all(["login", "registration", "verification", "recovery", "settings"].map(load))),
  );
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await app.stop();
});

/** Somebody who answers what is asked, in order; what is said is kept. */
function person(...answers: readonly (string | (() => Promise<string>))[]) {
  const left = [...answers];
  const said: string[] = [];
  const page: Page = {
    client: ClientKind.NATIVE,
    ask: async (what) => {
      const answer = left.shift();
      if (answer === undefined) throw new Error(`nobody answers: ${what}; it said: ${said.join(" ")}`);
      return typeof answer === "string" ? answer : answer();
    },
    say: (sentence) => said.push(sentence),
  };
  return { page, said };
}

const native = (token?: string) => createOstiary({ baseUrl: app.localUrl, ...(token && { token }) });
const codeFor = (email: string) => async () =>
  (await app.messages(email)).filter(({ code }) => code !== "").at(-1)?.code ?? "";

test("there is one for each kind of flow, of at most 40 lines, and one in Go", () => {
  expect([...pages.keys()]).toEqual([
    ...[
      "page.ts",
      "login.ts",
      "registration.ts",
      "verification.ts",
      "recovery.ts",
      "settings.ts",
      "login.go",
    ],
  ]);
  for (const [name, code] of pages) expect(code.split("\n").length, name).toBeLessThanOrEqual(41);
});

test("they compile strictly", { timeout: 120_000 }, async () => {
  const { failed, stdout } = await runProgram("node_modules/.bin/tsc", ["--noEmit", "-p", folder]);
  expect(stdout).toBe("");
  expect(failed).toBe(false);
});

describe("they work", () => {
  test("for an account that is made, verified, and signed in to", async () => {
    const email = freshEmail();
    const maker = person("no address", goodPassword, email, "short", email, goodPassword);
    const completed = await written.register(native(), maker.page);
    expect(completed?.signedIn?.sessionToken).toMatch(/^ost_ses_/);
    expect(maker.said.length).toBeGreaterThan(1);

    const action = completed?.continueWith[0]?.action;
    const begun = action?.case === "verification" ? action.value.flow : undefined;
    const prover = person("000000", codeFor(email));
    expect(await written.verify(native(), prover.page, begun)).toBe(email);
    expect(prover.said.length).toBeGreaterThan(0);

    const visitor = person(email, "wrong", email, goodPassword);
    expect((await written.logIn(native(), visitor.page))?.sessionToken).toMatch(/^ost_ses_/);
    expect(visitor.said.length).toBeGreaterThan(0);
    // What is sent at the same moment has no order.
    app.clock.advance(1);
    const byCode = person(email, "", codeFor(email));
    expect((await written.logIn(native(), byCode.page))?.sessionToken).toMatch(/^ost_ses_/);
  });

  test("for a verification that is begun afresh", async () => {
    const { spare } = await createPerson(app, ["email"]);
    expect(await written.verify(native(), person(spare, codeFor(spare)).page)).toBe(spare);
  });

  test("for a recovery by one of several addresses, and the new password", async () => {
    const owner = await createPerson(app);
    const settings = await written.recover(native(), person(owner.name, "2", codeFor(owner.spare)).page);
    expect(settings).toBeDefined();
    const setter = person("short", another);
    expect(await written.changeSettings(native(), setter.page, settings)).toBe("completed");
    expect(setter.said.length).toBeGreaterThan(0);
    expect((await tryLogin(app, owner.email, another)).case).toBe("completed");
  });

  test("for settings: a name, an address, a password, and a login that comes first", async () => {
    const owner = await createPerson(app);
    const ostiary = native(await sessionTokenOf(app, owner.email));
    expect(await written.changeSettings(ostiary, person("name", `new-${owner.name}`).page)).toBe("saved");
    const email = freshEmail();
    expect(await written.changeSettings(ostiary, person("email", email, codeFor(email)).page)).toBe("saved");
    expect(await written.changeSettings(ostiary, person("password", another).page)).toBe("saved");
    app.clock.advance(3 * 3_600_000);
    const late = person("email", freshEmail());
    expect(await written.changeSettings(ostiary, late.page)).toBe("log in first");
  });
});

describe.skipIf(!withGo)("in Go", () => {
  test("the login works, also after a wrong password", { timeout: 300_000 }, async () => {
    const { email } = await createPerson(app);
    const project = await copyGoClient();
    const options = { cwd: project, timeoutMs: 250_000 };
    try {
      await writeFile(join(project, "main.go"), `${goMain}\n${pages.get("login.go")}`);
      await outputOf("go", ["build", "-trimpath", "-o", "page", "."], options);
      const answers = [app.localUrl, email, "wrong", email, goodPassword];
      expect(await outputOf("./page", answers, options)).toMatch(/^ost_ses_/);
    } finally {
      await rm(project, { recursive: true });
    }
  });
});

/** What stands around the page: its imports, and somebody who answers with the arguments of the command. */
const goMain = `package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"connectrpc.com/connect"

	flowv1 "ostiary.example/go/ostiary/flow/v1"
	"ostiary.example/go/ostiary/flow/v1/flowv1connect"
)

func main() {
	answers := os.Args[2:]
	ask := func(string) string {
		answer := answers[0]
		answers = answers[1:]
		return answer
	}
	token, err := logIn(context.Background(), flowv1connect.NewLoginServiceClient(http.DefaultClient, os.Args[1]), ask)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(token)
}
`;
