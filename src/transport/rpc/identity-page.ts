import { create, toBinary } from "@bufbuild/protobuf";
import {
  IdentitySchema,
  type Identity as ProtoIdentity,
} from "../../../gen/ostiary/identity/v1/identity_pb.js";
import type { Identity } from "../../domain/identity/identity.ts";
import type { IdentityTake } from "../../domain/identity/store.ts";
import { type IdentityView, toIdentity } from "./convert/identity.ts";

/** The largest page in bytes: every gRPC client refuses more than 4 MiB by default. */
const mostBytes = 3 * 1024 * 1024;

/** A page of identities that ends where it grows too large to be received. */
export class IdentityPage implements IdentityTake {
  readonly identities: ProtoIdentity[] = [];
  readonly documents: boolean;
  readonly #view: IdentityView;
  #bytes = 0;

  constructor(view: IdentityView) {
    this.#view = view;
    this.documents = view === "full";
  }

  /** Puts an identity on the page. False if it does not fit, and then it is not there. */
  readonly fits = (identity: Identity): boolean => {
    const message = create(IdentitySchema, toIdentity(identity, this.#view));
    this.#bytes += toBinary(IdentitySchema, message).byteLength;
    if (this.identities.length > 0 && this.#bytes > mostBytes) return false;
    this.identities.push(message);
    return true;
  };
}
