import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "./accounts.ts";
import type { TestApp } from "./app.ts";

const address = { verifiable: "email", recovery: "email" };

/** A schema in which people have several names and addresses, as the value of `identity.schemas` in YAML. */
export const personSchemas = [
  {
    id: "person",
    document: {
      type: "object",
      properties: {
        name: { type: "string", ostiary: { identifier: "username" } },
        email: { type: "string", format: "email", ostiary: { identifier: "email", ...address } },
        spare: { type: "string", format: "email", ostiary: { ...address } },
        work: { type: "string", format: "email", ostiary: { identifier: "email" } },
      },
    },
  },
];

/** Somebody with that schema. */
export interface Person {
  readonly id: string;
  /** What they sign in with. */
  readonly name: string;
  /** As `name`, and a recovery address: the first one. */
  readonly email: string;
  /** A recovery address: the second one. */
  readonly spare: string;
  /** As `name`; nothing is ever sent there. */
  readonly work: string;
}

/** Makes an account whose addresses are verified, or some of them. */
export async function createPerson(
  app: TestApp,
  verified: readonly ("email" | "spare")[] = ["email", "spare"],
): Promise<Person> {
  const email = freshEmail();
  const [name = ""] = email.split("@");
  const person = { name, email, spare: `spare-${email}`, work: `work-${email}` };
  const { identity } = await app.client(IdentityService).createIdentity({
    traits: person,
    verifiedAddresses: verified.map((which) => person[which]).map((value) => ({ value })),
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  return { ...person, id: identity?.id ?? "" };
}
