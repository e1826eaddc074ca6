import { execFileSync } from "node:child_process";
import { createPrivateKey, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { JsonObject, JsonValue } from "../../domain/json.ts";
import { readSes } from "./ses.ts";
import { Sns } from "./sns.ts";

const topic = "arn:aws:sns:eu-central-1:123456789012:mail";
const host = "https://sns.eu-central-1.amazonaws.com";
const certificateUrl = `${host}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem`;

function selfSigned() {
  const folder = mkdtempSync(join(tmpdir(), "sns-"));
  const [key, certificate] = [join(folder, "key"), join(folder, "cert")];
  const options = [
    "-nodes",
    "-days",
    "30",
    "-subj",
    "/CN=sns.amazonaws.com",
    "-keyout",
    key,
    "-out",
    certificate,
  ];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", ...options], { stdio: "ignore" });
  const made = { key: createPrivateKey(readFileSync(key)), certificate: readFileSync(certificate, "utf8") };
  rmSync(folder, { recursive: true });
  return made;
}
const amazon = selfSigned();

/** What is at URLs elsewhere, and which of them were asked for. */
function elsewhere(pages: Readonly<Record<string, string>> = { [certificateUrl]: amazon.certificate }) {
  const asked: string[] = [];
  const fetch = async (url: URL | string) => {
    asked.push(String(url));
    const page = pages[String(url)];
    return new Response(page ?? "", { status: page === undefined ? 404 : 200 });
  };
  return { asked, sns: new Sns({ http: { fetch }, clock: { now: () => new Date() } }) };
}

const names: Readonly<Record<string, readonly string[]>> = {
  Notification: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
  SubscriptionConfirmation: [
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
  ],
};

/** A message as SNS signs it, and then what somebody changes of it. */
function signed(over: JsonObject = {}, { version = "2", changed = {}, key = amazon.key } = {}): JsonObject {
  const message: JsonObject = {
    Type: "Notification",
    MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    TopicArn: topic,
    Message: '{"notificationType":"Bounce"}',
    Timestamp: "2026-11-30T02:00:00.000Z",
    SignatureVersion: version,
    SigningCertURL: certificateUrl,
    ...over,
  };
  const text = (names[String(message.Type)] ?? [])
    .filter((name) => message[name] !== undefined)
    .map((name) => `${name}\n${message[name]}\n`)
    .join("");
  const signature = sign(version === "1" ? "sha1" : "sha256", Buffer.from(text), key).toString("base64");
  return { ...message, Signature: signature, ...changed };
}

test.each(["1", "2"])(
  "a notification with a signature of version %s is opened, and its certificate read once",
  async (version) => {
    const { sns, asked } = elsewhere();
    for (const Subject of ["one", undefined]) {
      const opened = await sns.open(signed(Subject === undefined ? {} : { Subject }, { version }), [topic]);
      expect(opened).toEqual({ kind: "notification", message: '{"notificationType":"Bounce"}' });
    }
    expect(asked).toEqual([certificateUrl]);
  },
);

// Security rule (SR-MAIL-9): what Amazon has not signed says nothing.
test.each([
  ["another text", signed({}, { changed: { Message: "{}" } })],
  ["another topic", signed({}, { changed: { TopicArn: `${topic}2` } })],
  ["the signature of somebody else", signed({}, { key: selfSigned().key })],
  ["no signature", signed({}, { changed: { Signature: "" } })],
  ["a signature version that is not known", signed({}, { changed: { SignatureVersion: "3" } })],
  ["another version than it was signed by", signed({}, { changed: { SignatureVersion: "1" } })],
])("a message with %s is refused (SR-MAIL-9)", async (_, message) => {
  expect(await elsewhere().sns.open(message, [topic])).toBeUndefined();
});

test.each([
  "https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
  "https://evil.example/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
  "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
  "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
  "https://sns.eu-central-1.amazonaws.com:8443/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
  "https://user@sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
  "https://sns.eu-central-1.amazonaws.com/?Action=Publish",
  "https://s3.amazonaws.com/bucket/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
  "nothing",
])(
  "a certificate is read from Amazon's host of the topic's region alone: not %s (SR-MAIL-9)",
  async (url) => {
    const { sns, asked } = elsewhere({ [url]: amazon.certificate });
    expect(await sns.open(signed({ SigningCertURL: url }), [topic])).toBeUndefined();
    expect(asked).toEqual([]);
  },
);

test("nothing is read anywhere for a topic that is not configured (SR-MAIL-9)", async () => {
  const { sns, asked } = elsewhere();
  expect(await sns.open(signed(), [`${topic}2`])).toBeUndefined();
  expect(asked).toEqual([]);
});

test("a certificate that cannot be read is not asked for again at once", async () => {
  const { sns, asked } = elsewhere({});
  for (const _ of [1, 2, 3]) expect(await sns.open(signed(), [topic])).toBeUndefined();
  expect(asked).toHaveLength(1);
});

test("a subscription is confirmed at Amazon's host, and at no other", async () => {
  const ask = (SubscribeURL: string) =>
    signed({ Type: "SubscriptionConfirmation", Token: "t", SubscribeURL });
  const url = `${host}/?Action=ConfirmSubscription&TopicArn=${topic}&Token=t`;
  const { sns, asked } = elsewhere({ [certificateUrl]: amazon.certificate, [url]: "<ok/>" });
  const opened = await sns.open(ask(url), [topic]);
  expect(opened?.kind === "subscription" && (await opened.confirm())).toBe(true);
  const other = await sns.open(ask("https://evil.example/"), [topic]);
  expect(other?.kind === "subscription" && (await other.confirm())).toBe(false);
  expect(asked).toEqual([certificateUrl, url]);
});

const id = "01a20d6d-5a18-7444-b84f-c6e4a50269f6";
const mail = {
  messageId: "00000138111222aa-33322211-cccc-cccc-cccc-ddddaaaa0680-000000",
  headers: [{ name: "Message-ID", value: `<${id}@example.com>` }],
};

test.each([
  [
    "Permanent",
    { arrival: "bounced", recipient: "ada@example.com", messageId: id, reason: "smtp; 550 5.1.1" },
  ],
  ["Undetermined", { arrival: "bounced", recipient: undefined, messageId: id, reason: "smtp; 550 5.1.1" }],
])("a bounce of SES that is %s", (bounceType, expected) => {
  const bouncedRecipients = [{ emailAddress: "ada@example.com", diagnosticCode: "smtp; 550 5.1.1" }];
  const said = { mail, bounce: { bounceType, bounceSubType: "General", bouncedRecipients } };
  expect(readSes({ ...said, notificationType: "Bounce" })).toEqual([expected]);
  expect(readSes({ ...said, eventType: "Bounce" })).toEqual([expected]);
});

test("what SES says of deliveries, complaints and bounces that may pass", () => {
  const tagged = { tags: { ostiary_id: [id] } };
  const delivery = { recipients: ["ada@example.com"] };
  expect(readSes({ eventType: "Delivery", mail: tagged, delivery })).toMatchObject([
    { messageId: id, arrival: "delivered", recipient: "ada@example.com" },
  ]);
  const complaint = {
    complainedRecipients: [{ emailAddress: "ada@example.com" }],
    complaintFeedbackType: "abuse",
  };
  expect(readSes({ notificationType: "Complaint", mail, complaint })).toMatchObject([
    { messageId: id, arrival: "complained", recipient: "ada@example.com", reason: "abuse" },
  ]);
  const bounce = { bounceType: "Transient", bouncedRecipients: [{ emailAddress: "ada@example.com" }] };
  expect(readSes({ notificationType: "Bounce", mail, bounce })).toEqual([]);
  const others: readonly JsonValue[] = [null, 1, [], {}, { notificationType: "Bounce" }];
  for (const other of others) expect(readSes(other)).toEqual([]);
});
