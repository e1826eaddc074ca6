import { type MessageContent, newMessage } from "../../src/domain/courier/message.ts";
import type { MessageId } from "../../src/domain/ids.ts";
import { openStorage } from "../../src/storage/storage.ts";
import type { TestApp } from "./app.ts";
import { defaultTestOptions } from "./database.ts";
import { testOutbox } from "./messages.ts";

/** Puts messages into the queue of an app that seals with `sealingSecret`, as a flow in another process would. */
export async function openAppQueue(app: TestApp) {
  const storage = await openStorage({ ...defaultTestOptions, poolSize: 2, url: app.databaseUrl });
  const scope = { tenantId: await storage.ensureTenant("default", app.clock.now()) };
  return {
    enqueue: async (
      content: MessageContent,
      to: Partial<Parameters<typeof newMessage>[2]> & { readonly recipient: string },
    ): Promise<MessageId> => {
      app.clock.advance(1);
      const message = newMessage(content, app.clock.now(), { channel: "email", language: "en", ...to });
      await storage.messages.enqueue(scope, [testOutbox.seal(message)]);
      return message.id;
    },
    close: () => storage.close(),
  };
}
