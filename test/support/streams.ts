import { createClient, type Client as RpcClient } from "@connectrpc/connect";
import {
  IdentityService,
  type SendRecoveryMessagesResponse,
} from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { type Protocol, transportOf } from "../transport/harness.ts";
import { freshEmail } from "./accounts.ts";
import type { TestApp } from "./app.ts";
import { refusal } from "./errors.ts";

/** A configuration in which operators can have links sent. */
export const links = {
  tenant_defaults: {
    link: { enabled: true },
    flows: {
      recovery: { ui_url: "https://app.example.com/recover" },
      verification: { ui_url: "https://app.example.com/verify" },
    },
  },
};

/** The id of an identity that does not exist. */
export const nobody = "01890000-0000-7000-8000-000000000000";

/** A client of the admin API that can hold streams. */
export function streamClient(
  app: TestApp,
  protocol: Protocol = "gRPC binary",
  bearer = app.apiKey,
): RpcClient<typeof IdentityService> {
  const headers = { authorization: `Bearer ${bearer}` };
  return createClient(IdentityService, transportOf(protocol, app.adminUrl, headers));
}

/** An identity with one address. */
export interface Account {
  readonly id: string;
  readonly email: string;
}

/** Makes identities. */
export function makeAccounts(app: TestApp, count: number, verified = true): Promise<Account[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const email = freshEmail();
      const { identity } = await app.client(IdentityService).createIdentity({
        traits: { email },
        verifiedAddresses: verified ? [email] : [],
      });
      return { email, id: identity?.id ?? "" };
    }),
  );
}

/** A message of a stream. */
export interface Ids {
  readonly requestId?: string;
  readonly identityIds: string[];
}

/** A stream of messages that are there. */
export async function* messages(...given: readonly Ids[]) {
  yield* given;
}

/** A stream whose messages come when the test says so. */
export function openStream() {
  const ready: Ids[] = [];
  let ended = false;
  let wake = () => {};
  async function* stream() {
    for (;;) {
      for (let next = ready.shift(); next !== undefined; next = ready.shift()) yield next;
      if (ended) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  return {
    stream: stream(),
    send: (...identityIds: string[]) => {
      ready.push({ identityIds });
      wake();
    },
    end: () => {
      ended = true;
      wake();
    },
  };
}

/** Each identity with where its message goes, or why there is none. */
export function outcomeOf({
  identityId,
  result,
}: SendRecoveryMessagesResponse): [string, string | undefined] {
  return [identityId, result.case === "sent" ? result.value.address : result.value?.errorInfo?.reason];
}

/** All results of a stream, and what ended it if it did not end by itself. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<{ results: T[]; failed: unknown }> {
  const results: T[] = [];
  try {
    for await (const result of stream) results.push(result);
    return { results, failed: undefined };
  } catch (error) {
    return { results, failed: error };
  }
}

/** The reason of an error. */
export async function reasonOf(error: unknown): Promise<string | undefined> {
  return (await refusal(Promise.reject(error))).reason;
}
