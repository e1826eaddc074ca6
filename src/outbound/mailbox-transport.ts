import type { MessageTransport } from "../domain/courier/delivery.ts";

/** The development mailbox: messages stay where they are, and are read from there. */
export const mailboxTransport: MessageTransport = {
  keepsMessages: true,
  deliver: async () => ({ kind: "sent" }),
};
