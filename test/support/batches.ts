import {
  IdentityService,
  type SendMessageResult,
} from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail } from "./accounts.ts";
import type { TestApp } from "./app.ts";

/** A configuration in which operators can send links. */
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
        verifiedAddresses: verified ? [{ value: email }] : [],
      });
      return { email, id: identity?.id ?? "" };
    }),
  );
}

/** The identity of a result with the address of its message, or with the reason why there is none. */
export function outcomeOf({ identityId, result }: SendMessageResult): [string, string | undefined] {
  return [identityId, result.case === "sent" ? result.value.address : result.value?.errorInfo?.reason];
}
