import { createSealer } from "../../src/crypto/sealer.ts";
import { type MessageContent, newMessage, type OutgoingMessage } from "../../src/domain/courier/message.ts";
import { Outbox } from "../../src/domain/courier/outbox.ts";
import { Secret } from "../../src/domain/secret.ts";
import { noon } from "./records.ts";

/** The sealing secret of tests that look into the queue. */
export const sealingSecret = "a sealing secret of the tests of messages";

const sealing = new Secret(sealingSecret);

/** An outbox that seals with it. */
export const testOutbox = new Outbox({ sealer: createSealer(() => [sealing]) });

/** A message with a code, good for ten minutes. */
export function aMessage(
  change: Partial<Omit<OutgoingMessage, "template" | "data">> & {
    readonly content?: MessageContent;
    readonly now?: Date;
  } = {},
): OutgoingMessage {
  const {
    content = { template: "login_code", data: { code: "048213", minutes: 10 } },
    now,
    ...rest
  } = change;
  const message = newMessage(content, now ?? noon, {
    channel: "email",
    recipient: "ada@example.com",
    language: "en",
  });
  return { ...message, ...rest };
}
