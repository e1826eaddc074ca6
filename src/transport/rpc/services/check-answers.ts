import type { MessageInitShape } from "@bufbuild/protobuf";
import { CheckSessionResponseSchema } from "../../../../gen/ostiary/session/v1/session_service_pb.js";
import type { FeedPosition } from "../../../domain/event/feed.ts";
import type { AuthenticatedSession, Session } from "../../../domain/session/session.ts";
import type { TenantSettings } from "../../../domain/tenant/tenant.ts";
import type { Call } from "../call.ts";
import { toTimestamp } from "../convert/common.ts";
import { toPosition } from "../convert/reading.ts";
import { toSession } from "../convert/session.ts";
import type { Codec } from "../unary/decode.ts";
import { encodeMessage } from "../unary/encoded-answer.ts";
import type { EncodedMessage } from "../unary/wire.ts";
import type { IdentityProfiles } from "./identity-profiles.ts";

/** The parts of one session's answers that are encoded already. They are shown by the settings that they were encoded with. */
interface Encoded {
  readonly settings: TenantSettings;
  readonly sessions: Map<Codec, EncodedMessage>;
  readonly identities: Map<Codec, EncodedMessage>;
}

/**
 * The answers of CheckSession, each in parts: the session, its identity, and how fresh that is. The first two are encoded once and kept
 * with what is known of the session, that very object: when that is dropped, so are they.
 */
export class CheckAnswers {
  readonly #profiles: IdentityProfiles;
  readonly #encoded = new WeakMap<Session, Encoded>();
  readonly #freshness = new Map<Codec, { readonly key: string; readonly part: EncodedMessage }>();

  constructor(profiles: IdentityProfiles) {
    this.#profiles = profiles;
  }

  /** The session, which is active. What else the answer says of it depends on the settings alone. */
  session(call: Call, { session, identity }: AuthenticatedSession): EncodedMessage {
    const { sessions } = this.#of(session, call);
    const kept = sessions.get(call.codec);
    if (kept !== undefined) return kept;
    return keep(sessions, call.codec, { session: toSession(session, call, { identity }) });
  }

  /** The profile of its identity. */
  async identity(call: Call, { session, identity }: AuthenticatedSession): Promise<EncodedMessage> {
    const { identities } = this.#of(session, call);
    const kept = identities.get(call.codec);
    if (kept !== undefined) return kept;
    const profile = await this.#profiles.in(call)(identity);
    return keep(identities, call.codec, { identity: profile });
  }

  /** How fresh it is, and until when it may be kept, to the second: so it is the same for many calls. */
  freshness({ codec }: Call, position: FeedPosition | undefined, until: Date | undefined): EncodedMessage {
    const seconds = until && Math.floor(until.getTime() / 1000);
    const key = `${position?.epoch}/${position?.sequence}/${seconds}`;
    const kept = this.#freshness.get(codec);
    if (kept?.key === key) return kept.part;
    const part = encodeMessage(CheckSessionResponseSchema, codec, {
      position: position && toPosition(position),
      cacheUntilTime: toTimestamp(seconds === undefined ? undefined : new Date(seconds * 1000)),
    });
    this.#freshness.set(codec, { key, part });
    return part;
  }

  #of(session: Session, { tenant: { settings } }: Call): Encoded {
    const kept = this.#encoded.get(session);
    if (kept?.settings === settings) return kept;
    const encoded: Encoded = { settings, sessions: new Map(), identities: new Map() };
    this.#encoded.set(session, encoded);
    return encoded;
  }
}

function keep(
  parts: Map<Codec, EncodedMessage>,
  codec: Codec,
  part: MessageInitShape<typeof CheckSessionResponseSchema>,
): EncodedMessage {
  const encoded = encodeMessage(CheckSessionResponseSchema, codec, part);
  parts.set(codec, encoded);
  return encoded;
}
