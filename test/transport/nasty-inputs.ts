import { gzipSync } from "node:zlib";
import { envelope } from "./frames.ts";

/** A request that is meant to cost much more than it looks like. */
export interface NastyInput {
  readonly name: string;
  readonly listener?: "public" | "admin";
  readonly method?: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Flows that are open, of which the submits are tried. */
export interface OpenFlows {
  readonly registration: string;
  readonly login: string;
}

const register = "/ostiary.flow.v1.RegistrationService/SubmitRegistrationFlow";
const logIn = "/ostiary.flow.v1.LoginService/SubmitLoginFlow";
const check = "/ostiary.session.v1.SessionService/CheckSession";
const current = "/ostiary.session.v1.SessionService/GetCurrentSession";
const batch = "/ostiary.identity.v1.IdentityService/BatchCreateIdentities";
const watch = "/grpc.health.v1.Health/Watch";
const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/** Just below the limit of a request with traits, of one without them, and of headers. */
const [large, small, headerBytes] = [80_000, 16_000, 31_000];
const megabyte = 1_048_000;

const json = { "content-type": "application/json" };
const proto = { "content-type": "application/proto" };
const text = { "content-type": "application/grpc-web-text" };

const of = (
  name: string,
  path: string,
  headers: Record<string, string>,
  body: string | Buffer,
): NastyInput => ({
  name,
  path,
  headers,
  body: Buffer.from(body as string),
});
const filled = (start: string, piece: string, end: string, bytes: number) =>
  start + piece.repeat(Math.floor((bytes - start.length - end.length) / piece.length)) + end;
const numbered = (bytes: number, piece: (index: number) => string) => {
  let content = "";
  for (let index = 0; content.length < bytes - 60; index++) content += piece(index);
  return content.slice(0, -1);
};

/** Everything that was found to be expensive, and its relatives. */
export function nastyInputs({ registration, login }: OpenFlows): NastyInput[] {
  const inFlow = `{"flowId":"${registration}",`;
  const traits = (content: string) =>
    `${inFlow}"traits":${content},"password":{"password":"violet-Harbour-92-kettle"}}`;
  return [
    of("JSON: deep", register, json, filled(`${inFlow}"traits":{"a":`, "[", "", large)),
    of(
      "JSON: a list of numbers in traits",
      register,
      json,
      traits(filled('{"a":[', "1,", "1]}", large - 300)),
    ),
    of(
      "JSON: a list of empty lists in traits",
      register,
      json,
      traits(filled('{"a":[', "[],", "[]]}", large - 300)),
    ),
    of(
      "JSON: many fields in traits",
      register,
      json,
      traits(`{${numbered(large - 300, (index) => `"a${index}":0,`)}}`),
    ),
    of(
      "JSON: as many fields in traits as their limit in bytes allows",
      register,
      json,
      traits(`{${numbered(63 * 1024, (index) => `"a${index}":0,`)}}`),
    ),
    of(
      "JSON: a wrong type after a long list",
      register,
      json,
      filled('{"traits":{"a":[', "1,", '1]},"flowId":7}', large),
    ),
    of("JSON: unknown fields", register, json, `{${numbered(large, (index) => `"a${index}":1,`)}}`),
    of(
      "JSON: unknown fields below what is read again",
      check,
      json,
      `{${numbered(8_000, (index) => `"a${index}":1,`)}}`,
    ),
    of(
      "JSON: a wrong type below what is read again",
      register,
      json,
      filled('{"traits":{"a":[', "1,", '1]},"flowId":7}', 8_000),
    ),
    of("JSON: one field twice", register, json, `{${'"flowId":"x",'.repeat(6_000)}"flowId":"x"}`),
    of("JSON: a long number", register, json, traits(`{"a":${"1".repeat(large - 300)}}`)),
    of("JSON: escapes", register, json, traits(filled('{"a":"', "\\u0041", '"}', large - 300))),
    of("JSON: a long address", register, json, traits(filled('{"email":"', "a", '@example.com"}', 60_000))),
    of("JSON: an address of dots", register, json, traits(filled('{"email":"a@', "a.", 'com"}', 4_000))),
    of(
      "JSON: an address of escapes for NFKC",
      register,
      json,
      traits(`{"email":"${"\ufdfa".repeat(1_300)}@example.com"}`),
    ),
    of(
      "JSON: many long texts",
      register,
      json,
      traits(
        `{"email":"a@example.com",${numbered(60_000, (index) => `"a${index}":"${"ab1".repeat(1_300)}",`)}}`,
      ),
    ),
    of(
      "JSON: a list of long texts",
      register,
      json,
      traits(`{"name":[${numbered(60_000, () => `"${"ab1".repeat(1_300)}",`)}]}`),
    ),
    of(
      "JSON: a long identifier",
      logIn,
      json,
      `{"flowId":"${login}","identifier":"${"\u00e4".repeat(7_000)}","password":{"password":"x"}}`,
    ),
    of(
      "JSON: an identifier of combining marks",
      logIn,
      json,
      `{"flowId":"${login}","identifier":"a${"\u0301".repeat(319)}","password":{"password":"x"}}`,
    ),
    of(
      "JSON: an identifier of digits",
      logIn,
      json,
      `{"flowId":"${login}","identifier":"+${"4 9-".repeat(79)}","password":{"password":"x"}}`,
    ),
    of(
      "JSON: a long password",
      logIn,
      json,
      `{"flowId":"${login}","identifier":"a@example.com","password":{"password":"${"\ufdfa".repeat(500)}"}}`,
    ),
    of(
      "JSON: a long address to return to",
      register.replace("Submit", "Create"),
      json,
      `{"client":"CLIENT_KIND_BROWSER","returnTo":"https://${"a.".repeat(1_000)}"}`,
    ),
    of("JSON: a megabyte", check, json, filled('{"token":"', "x", '"}', megabyte)),
    of("JSON: a megabyte of lists", register, json, filled('{"traits":{"a":[', "[],", "[]]}}", megabyte)),
    of("binary: a Struct of empty values", register, proto, structOf(large)),
    of("binary: a Struct of one megabyte", register, proto, structOf(megabyte)),
    of("binary: unknown fields", check, proto, Buffer.alloc(small, Buffer.from([0xf8, 0x07, 0x01]))),
    of("binary: groups within each other", register, proto, Buffer.alloc(large, 0x5b)),
    of("binary: empty demands", register, proto, Buffer.alloc(large, Buffer.from([0x1a, 0x00]))),
    of("gRPC-Web text: padding after each character", check, text, "A=".repeat(690_000)),
    of("gRPC-Web text: padding after each byte", check, text, "AA==".repeat(349_000)),
    of("gRPC-Web text: padding after each byte, a small one", register, text, "AA==".repeat(25_000)),
    of("gRPC-Web text: plain", check, text, "A".repeat(1_398_000)),
    of(
      "gzip: a bomb",
      register,
      { ...json, "content-encoding": "gzip" },
      gzipSync(Buffer.alloc(30_000_000, " ")),
    ),
    of(
      "gzip: a list of numbers",
      register,
      { ...json, "content-encoding": "gzip" },
      gzipSync(traits(filled('{"a":[', "1,", "1]}", large - 300))),
    ),
    of(
      "gzip: a bomb in an envelope",
      check,
      { "content-type": "application/grpc-web", "grpc-encoding": "gzip" },
      envelope(1, gzipSync(Buffer.alloc(30_000_000))),
    ),
    of(
      "a stream: a list in JSON",
      watch,
      { "content-type": "application/connect+json" },
      envelope(0, filled('{"a":[', "[],", "[]]}", 65_000)),
    ),
    of(
      "a stream: a bomb",
      watch,
      { "content-type": "application/connect+json", "connect-content-encoding": "gzip" },
      envelope(1, gzipSync(Buffer.alloc(30_000_000))),
    ),
    of(
      "a stream: reflection of the largest file",
      reflection,
      { "content-type": "application/connect+json" },
      envelope(0, '{"fileContainingSymbol":"ostiary.identity.v1.IdentityService"}'),
    ),
    ...headerInputs(),
    ...adminInputs(),
  ];
}

function headerInputs(): NastyInput[] {
  const get = (name: string, headers: Record<string, string>, path = "/ui/login"): NastyInput => ({
    ...of(name, path, headers, ""),
    method: "GET",
  });
  const call = (name: string, headers: Record<string, string>) =>
    of(name, current, { ...json, ...headers }, "{}");
  const long = (piece: string) => piece.repeat(Math.floor(headerBytes / piece.length));
  const query = encodeURIComponent(`{"a":${"[".repeat(10_000)}`).slice(0, headerBytes - 200);
  return [
    call(
      "headers: a hundred",
      Object.fromEntries(Array.from({ length: 90 }, (_, index) => [`x-${index}`, "v"])),
    ),
    call("headers: more than are read", { cookie: "a".repeat(200_000) }),
    call("headers: cookies of the session's name", { cookie: long("ostiary_session=a; ") }),
    call("headers: empty cookies", { cookie: long(";=") }),
    call("headers: blanks in a cookie", { cookie: `ostiary_session=${"a ".repeat(14_000)}` }),
    call("headers: blanks in a token", { authorization: `Bearer ${" ".repeat(30_000)}x` }),
    call("headers: a long token", { authorization: `Bearer ost_ses_${"a".repeat(30_000)}` }),
    call("headers: forwarded addresses", { "x-forwarded-for": long("1.2.3.4,") }),
    call("headers: a long content type", { "content-type": `application/json;${" ".repeat(30_000)}x` }),
    call("headers: a long origin", { origin: `https://${"a".repeat(30_000)}` }),
    {
      ...of(
        "headers: languages",
        register.replace("Submit", "Create"),
        { ...json, "accept-language": long("de-DE;q=0.5,") },
        '{"client":"CLIENT_KIND_NATIVE"}',
      ),
    },
    get("headers: encodings", { "accept-encoding": long("br;q=0.000,") }),
    get("headers: validators", { "if-none-match": long('W/"a",') }),
    get("a long path", {}, `/${"a/".repeat(15_000)}`),
    get("a long query", {}, `${current}?encoding=json&message=${query}`),
    get("many parameters", {}, `${current}?${"a=b&".repeat(7_500)}encoding=json`),
    get("a message in base64", {}, `${current}?encoding=json&base64=1&message=${"A".repeat(30_000)}`),
  ];
}

/** Whoever has no key is refused before anything of the body is held or read. */
function adminInputs(): NastyInput[] {
  const body = filled('{"requests":[', "{},", "{}]}", megabyte);
  const inputs = [
    of("admin: a megabyte without a key", batch, json, body),
    of("admin: a megabyte with a made-up key", batch, { ...json, authorization: "Bearer ost_key_x" }, body),
    of("admin: a compressed megabyte", batch, { ...json, "content-encoding": "gzip" }, gzipSync(body)),
  ];
  return inputs.map((input) => ({ ...input, listener: "admin" }));
}

/** A request with traits of a list of empty values (google.protobuf.ListValue). */
function structOf(bytes: number): Buffer {
  const list = Buffer.alloc(bytes - 64, Buffer.from([0x0a, 0x00]));
  const inField = (tag: number, content: Buffer) =>
    Buffer.concat([Buffer.from([tag]), varint(content.length), content]);
  const entry = Buffer.concat([inField(0x0a, Buffer.from("a")), inField(0x12, inField(0x32, list))]);
  return inField(0x1a, inField(0x0a, entry));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
