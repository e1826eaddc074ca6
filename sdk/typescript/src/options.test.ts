// SPDX-License-Identifier: Apache-2.0
import { create } from "@bufbuild/protobuf";
import { createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ClientKind, FlowSchema } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { createOstiaryAdmin } from "./admin.ts";
import { createOstiary } from "./client.ts";
import { createFlow } from "./flows.ts";
import { renderForm } from "./form.ts";
import { createServerOstiary, requireSession } from "./server.ts";

const baseUrl = "https://auth.example";
const transport = createRouterTransport(() => {});
const request = new Request("https://app.example/");

/** Each function that takes options, with options that it takes. */
const makers: Readonly<Record<string, (more: object) => unknown>> = {
  createOstiary: (more) => createOstiary({ baseUrl, ...more }),
  createOstiaryAdmin: (more) => createOstiaryAdmin({ baseUrl, ...more }),
  requireSession: (more) => requireSession({ baseUrl, ...more }),
  createServerOstiary: (more) =>
    createServerOstiary({ baseUrl, request, clientAddress: "192.0.2.7", ...more }),
};

// Security rule (SR-SDK-4): an option that is ignored is a demand that vanishes.
describe.each(Object.entries(makers))("%s", (_, make) => {
  test("refuses an option that it does not have, and names it", () => {
    expect(() => make({ noSuchOption: undefined })).toThrow(TypeError);
    expect(() => make({ noSuchOption: 1 })).toThrow('has no option "noSuchOption"');
  });

  test.each([
    ["baseurl", "baseUrl"],
    ["base_url", "baseUrl"],
    ["timeout", "timeoutMs"],
    ["transports", "transport"],
  ])("names for %s the option %s", (wrong, right) => {
    expect(() => make({ [wrong]: 1 })).toThrow(`did you mean "${right}"?`);
  });

  test.each([
    ["no address", { baseUrl: undefined }],
    ["nothing for an address", { baseUrl: null }],
    ["an empty address", { baseUrl: "" }],
    ["a number for an address", { baseUrl: 4433 }],
    ["a host without a scheme", { baseUrl: "auth.example:4433" }],
    ["another scheme", { baseUrl: "ftp://auth.example" }],
    ["a user name in the address", { baseUrl: "https://user:secret@auth.example" }],
    ["a query in the address", { baseUrl: "https://auth.example/?a=b" }],
    ["a fragment in the address", { baseUrl: "https://auth.example/#a" }],
    ["a blank in the address", { baseUrl: "https://auth.example " }],
    ["a line break in the address", { baseUrl: "https://auth.example\n" }],
    ["a port that there is not", { baseUrl: "https://auth.example:99999" }],
    ["a fetch that is none", { fetch: "fetch" }],
    ["cookies in a way that there is not", { credentials: "always" }],
    ["no time at all", { timeoutMs: 0 }],
    ["a time that no timer can take", { timeoutMs: 2 ** 31 }],
    ["a time in words", { timeoutMs: "30s" }],
    ["nothing but slashes before the host", { baseUrl: "https:///auth.example" }],
    ["an address beside a transport", { transport }],
    ["a transport that is none", { baseUrl: undefined, transport: {} }],
  ])("refuses %s when it is called", (_, options) => {
    expect(() => make(options)).toThrow(TypeError);
  });

  test("does not repeat a password that was in the address", () => {
    expect(() => make({ baseUrl: "https://user:secret@auth.example" })).not.toThrow("secret");
  });

  test("takes a transport in place of an address", () => {
    expect(make({ baseUrl: undefined, transport })).toBeDefined();
  });
});

describe("requireSession", () => {
  test.each([
    ["assurance_level", "assuranceLevel"],
    ["verified_address", "verifiedAddress"],
    ["no_pending_actions", "noPendingActions"],
    ["methodProperty", "methodProperties"],
    ["method_property", "methodProperties"],
    ["assurancelevel", "assuranceLevel"],
    ["asuranceLevel", "assuranceLevel"],
    ["freshness", "maxAge"],
    ["max_age", "maxAge"],
    ["maxage", "maxAge"],
    ["allowedOrigin", "allowedOrigins"],
    ["onUnavailible", "onUnavailable"],
  ])("names for %s the option %s", (wrong, right) => {
    expect(() => requireSession({ baseUrl, [wrong]: "aal2" })).toThrow(`did you mean "${right}"?`);
  });

  test("refuses a misspelt option of a prototype, whose values are read as well", () => {
    const options = Object.assign(Object.create({ maxage: "1s" }), { baseUrl });
    expect(() => requireSession(options)).toThrow('no option "maxage"');
  });

  test("does not mind what a program has added to every object", () => {
    Object.defineProperty(Object.prototype, "added", {
      value: 1,
      enumerable: true,
      configurable: true,
      writable: true,
    });
    try {
      expect(requireSession({ baseUrl })).toBeDefined();
    } finally {
      Reflect.deleteProperty(Object.prototype, "added");
    }
  });

  test.each([
    ["no options", undefined],
    ["an address alone", baseUrl],
    ["a path for an address, which only a page can have", { baseUrl: "/auth" }],
    ["an unknown view", { baseUrl, view: "sess" }],
    ["a name that no cookie can have", { baseUrl, cookieName: "a;b" }],
    ["a name with a prefix", { baseUrl, cookieName: "__Host-ostiary_session" }],
    ["a list of names", { baseUrl, cookieName: ["ostiary_session"] }],
    ["a text in place of a switch", { baseUrl, allowInsecureCookies: "false" }],
    ["one origin in place of a list", { baseUrl, allowedOrigins: "https://a.example" }],
    ["a listener that is none", { baseUrl, onUnavailable: "log" }],
    ["no time for a check", { baseUrl, checkTimeout: 0 }],
    ["a time for a check that no timer can take", { baseUrl, checkTimeout: "30d" }],
    ["an age that no Duration can hold", { baseUrl, maxAge: 1e300 }],
    ["a text that only turns into an assurance level", { baseUrl, assuranceLevel: ["aal2"] }],
    ["clients that are none", { ostiary: {} }],
    ["a list for an age", { baseUrl, maxAge: ["15m"] }],
    ["an address beside clients", { baseUrl, ostiary: createOstiary({ baseUrl }) }],
  ])("refuses %s when it is called", (_, options) => {
    expect(() => requireSession(options as never)).toThrow(TypeError);
  });
});

describe("createOstiary", () => {
  test.each(["/", "/auth", "//auth.example"])("takes the path %s, for a page", (path) => {
    expect(createOstiary({ baseUrl: path })).toBeDefined();
  });

  test("refuses a token that is neither a text nor a function", () => {
    expect(() => createOstiary({ baseUrl, token: 1 as never })).toThrow(TypeError);
    expect(() => createOstiaryAdmin({ baseUrl, apiKey: {} as never })).toThrow(TypeError);
  });
});

describe("createFlow and sendRecoveryMessages", () => {
  test("refuse an option that they do not have", async () => {
    const ostiary = createOstiary({ transport });
    const misspelt = { client: ClientKind.BROWSER, returnto: "https://app.example/" };
    await expect(createFlow(ostiary, "login", misspelt)).rejects.toThrow('did you mean "returnTo"?');
    const admin = createOstiaryAdmin({ transport });
    expect(() => admin.sendRecoveryMessages([], { requestid: "1" } as never)).toThrow(
      'did you mean "requestId"?',
    );
  });

  test("and renderForm, which would never send what is typed", () => {
    const handlers = { onsubmit: () => {} } as never;
    expect(() => renderForm({} as HTMLElement, create(FlowSchema), handlers)).toThrow(
      'did you mean "onSubmit"?',
    );
  });

  test("refuse a kind of flow that there is not", async () => {
    const ostiary = createOstiary({ transport });
    const start = { client: ClientKind.BROWSER };
    await expect(createFlow(ostiary, "toString" as never, start)).rejects.toThrow(TypeError);
  });
});
