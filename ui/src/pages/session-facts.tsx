import { fillIn } from "@ostiary/sdk/form";
import type { Session } from "@ostiary/sdk/v1/session";
import type { JSX } from "react";
import { describeDevice } from "../describe-device.ts";
import { useWords } from "../language/index.ts";

interface SessionFactsProps {
  readonly session: Session;
  /** Unset: the session cannot be ended here. */
  readonly onRevoke?: (() => void) | undefined;
}

/** What there is to know about a session. */
export function SessionFacts({ session, onRevoke }: SessionFactsProps): JSX.Element {
  const { locale, sessions: texts } = useWords();
  const device = describeDevice(session.device?.userAgent ?? "", texts);
  const address = session.device?.ipAddress ?? "";
  return (
    <>
      <div className="session">
        <p>
          <strong>{device}</strong>
          {address === "" ? null : <span className="quiet"> · {address}</span>}
        </p>
        {onRevoke === undefined ? null : (
          <button
            type="button"
            className="small-button"
            aria-label={fillIn(texts.revokeNamed, { device: `${device}, ${address}` })}
            onClick={onRevoke}
          >
            {texts.revoke}
          </button>
        )}
      </div>
      <dl className="facts">
        <dt>{texts.lastUsed}</dt>
        <dd>{describeTime(session.lastUseTime, locale)}</dd>
        <dt>{texts.expires}</dt>
        <dd>{describeTime(session.expireTime, locale)}</dd>
      </dl>
    </>
  );
}

function describeTime(time: Session["expireTime"], locale: string): string {
  if (time === undefined) return "";
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  return format.format(new Date(Number(time.seconds) * 1000));
}
