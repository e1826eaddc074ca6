import { fillIn } from "@ostiary/sdk/form";
import type { Session } from "@ostiary/sdk/v1/session";
import type { JSX } from "react";
import { describeDevice } from "../describe-device.ts";
import { useWords } from "../language/index.ts";
import type { Words } from "../language/words.ts";
import { dateOf, describeTime, Time } from "./time.tsx";

interface SessionFactsProps {
  readonly session: Session;
  /** Unset: the session cannot be ended here. */
  readonly end?: { readonly name: string; readonly onPress: () => void } | undefined;
}

/** What there is to know about a session. */
export function SessionFacts({ session, end }: SessionFactsProps): JSX.Element {
  const { sessions: texts } = useWords();
  const device = describeDevice(session.device?.userAgent ?? "", texts);
  const address = session.device?.ipAddress ?? "";
  return (
    <>
      <div className="session">
        <p>
          <strong>{device}</strong>
          {address === "" ? null : <span className="quiet"> · {address}</span>}
        </p>
        {end === undefined ? null : (
          <button
            type="button"
            className="small-button"
            aria-label={fillIn(texts.revokeNamed, { device: end.name })}
            onClick={end.onPress}
          >
            {texts.revoke}
          </button>
        )}
      </div>
      <dl className="facts">
        <dt>{texts.signedIn}</dt>
        <dd>
          <Time time={session.createTime} />
        </dd>
        <dt>{texts.lastUsed}</dt>
        <dd>
          <Time time={session.lastUseTime} />
        </dd>
        <dt>{texts.expires}</dt>
        <dd>
          <Time time={session.expireTime} />
        </dd>
      </dl>
    </>
  );
}

/**
 * A name of each session that no other one has, for screen readers: the device and its address, when it was used and when its user signed
 * in, and a number where that is all the same.
 */
export function namesOf(sessions: readonly Session[], { locale, sessions: texts }: Words): readonly string[] {
  const seen = new Map<string, number>();
  return sessions.map(({ device, lastUseTime, createTime }) => {
    const times = [lastUseTime, createTime].flatMap((time) =>
      time ? [describeTime(dateOf(time), locale)] : [],
    );
    const facts = [describeDevice(device?.userAgent ?? "", texts), device?.ipAddress ?? "", ...times];
    const name = facts.filter((fact) => fact !== "").join(", ");
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} (${count})`;
  });
}
