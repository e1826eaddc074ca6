import { MethodKind } from "@ostiary/sdk/v1/common";
import { LoginOutcome, type LoginRecord, LoginRecordPurpose } from "@ostiary/sdk/v1/identity";
import { type JSX, useRef } from "react";
import { describeDevice } from "../describe-device.ts";
import { useWords } from "../language/index.ts";
import type { ActivityWords, MethodName } from "../language/words.ts";
import { AccountPage } from "./account-page.tsx";
import { Failure } from "./failure.tsx";
import { Loading } from "./loading.tsx";
import { Time } from "./time.tsx";
import { useActivity } from "./use-activity.ts";

/** Who signed in to the account of the visitor, and who tried: the login history. */
export function ActivityPage(): JSX.Element {
  const { activity: texts } = useWords();
  const heading = useRef<HTMLHeadingElement>(null);
  const { state, retry, showMore } = useActivity();
  const name = state.kind === "loaded" ? state.name : undefined;
  return (
    <AccountPage title={texts.title} heading={heading} current="activity" name={name}>
      {state.kind === "loading" ? <Loading /> : null}
      {state.kind === "failed" ? <Failure error={state.error} retry={retry} /> : null}
      {state.kind === "loaded" ? (
        <>
          <p className="quiet">{texts.help}</p>
          {state.records.length === 0 ? <p>{texts.none}</p> : null}
          <ul className="list events">
            {state.records.map((record) => (
              <li key={record.id}>
                <RecordFacts record={record} isCurrent={record.sessionId === state.sessionId} />
              </li>
            ))}
          </ul>
          {state.nextPageToken === "" ? null : (
            <button
              type="button"
              className="ostiary-button"
              data-importance="secondary"
              onClick={() => void showMore()}
            >
              {texts.more}
            </button>
          )}
        </>
      ) : null}
    </AccountPage>
  );
}

/** One record. `isCurrent`: it began the session that is under way. */
function RecordFacts({
  record,
  isCurrent,
}: {
  readonly record: LoginRecord;
  readonly isCurrent: boolean;
}): JSX.Element {
  const { activity: texts, sessions } = useWords();
  const { method, userAgent, ipAddress, createTime } = record;
  const failed = record.outcome === LoginOutcome.FAILED;
  const methodName = names.get(method);
  const where = [describeDevice(userAgent, sessions), ipAddress].filter((part) => part !== "").join(" · ");
  return (
    <>
      <p className={failed ? "failed" : undefined}>
        <strong>{whatOf(record, texts)}</strong>
        {methodName === undefined ? null : ` · ${texts.methods[methodName]}`}
        {isCurrent ? ` · ${texts.thisSession}` : null}
      </p>
      <p className="quiet">
        {where}
        <br />
        <Time time={createTime} />
      </p>
    </>
  );
}

function whatOf({ purpose, outcome }: LoginRecord, texts: ActivityWords): string {
  if (outcome === LoginOutcome.FAILED) return texts.failed;
  switch (purpose) {
    case LoginRecordPurpose.REFRESH:
    case LoginRecordPurpose.STEP_UP:
      return texts.confirmed;
    case LoginRecordPurpose.REGISTRATION:
      return texts.registered;
    case LoginRecordPurpose.RECOVERY:
      return texts.recovered;
    default:
      // What is newer than this page lets somebody in as well.
      return texts.signedIn;
  }
}

const names: ReadonlyMap<MethodKind, MethodName> = new Map([
  [MethodKind.PASSWORD, "password"],
  [MethodKind.CODE, "code"],
  [MethodKind.LINK, "link"],
  [MethodKind.TOTP, "totp"],
  [MethodKind.BACKUP_CODE, "backupCode"],
  [MethodKind.PASSKEY, "passkey"],
  [MethodKind.OIDC, "oidc"],
  [MethodKind.SMS, "sms"],
]);
