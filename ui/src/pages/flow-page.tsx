import { textOf } from "@ostiary/sdk";
import { type FlowName, fillIn, lastUsedMethod, optionsIn, viewMessage } from "@ostiary/sdk/form";
import { FlowForm } from "@ostiary/sdk/react";
import type { Flow, FormMessage } from "@ostiary/sdk/v1/flow";
import { type JSX, useRef, useState } from "react";
import { describeError } from "../describe-error.ts";
import { useWords } from "../language/index.ts";
import { arrival, sessionsRemoved } from "../navigation.ts";
import type { Route } from "../routes.ts";
import { keepInTab, keptInTab } from "../session-storage.ts";
import { useVisit } from "../visitor.ts";
import { leaveDeletion } from "./deletion-banner.tsx";
import { DeletionChoice } from "./deletion-choice.tsx";
import { DeletionNotice } from "./deletion-notice.tsx";
import { Failure } from "./failure.tsx";
import { FlowFrame } from "./flow-frame.tsx";
import type { FlowInUse, Notice } from "./flow-stage.ts";
import { Loading } from "./loading.tsx";
import { LoginLinks } from "./login-links.tsx";
import { Page } from "./page.tsx";
import { PageLink } from "./page-link.tsx";
import { isOffer, putOff } from "./passkey-offer.ts";
import { useQuestion } from "./question.tsx";
import { SignedInQuestion } from "./signed-in-question.tsx";
import { useFlow } from "./use-flow.ts";

/** The flow for which somebody who is signed in wants to use another account. */
const anotherKey = "ostiary.another-account";

/** A flow of any kind: its form is drawn from what the server sends. */
export function FlowPage({ name }: { readonly name: FlowName }): JSX.Element {
  const words = useWords();
  const heading = useRef<HTMLHeadingElement>(null);
  const { visitor } = useVisit();
  // Read once, and first: opening the flow replaces the entry of the history that says it.
  const [signedOut] = useState(() => arrival().signedOutBy);
  const flowInUse = useFlow(name);
  const { stage, waiting } = flowInUse;
  const [another, setAnother] = useState(() => keptInTab(anotherKey));
  const question = useQuestion();
  // As it was when the page was opened: nothing moves while somebody signs in.
  const [lastUsed] = useState(lastUsedMethod);

  const shown = stage.kind === "flow" ? stage.flow : undefined;
  const said = optionsIn(words, words.locale);
  const sentence = (message: FormMessage | undefined) => message && viewMessage(message, said).text;
  if (visitor.kind === "somebody" && shown !== undefined && another !== shown.id && asksAnybody(shown)) {
    const stay = () => {
      keepInTab(anotherKey, shown.id);
      setAnother(shown.id);
    };
    return (
      <Page key="signed in" title={words.signedIn.title}>
        <SignedInQuestion name={visitor.name} goOn={() => flowInUse.goOn(shown.returnTo)} useAnother={stay} />
      </Page>
    );
  }
  const account = (waiting ?? shown)?.account?.displayName;
  // Who confirms who they are without a change that waits is the person who is signed in.
  const confirmed =
    name === "login" &&
    shown !== undefined &&
    waiting === undefined &&
    !asksWho(shown) &&
    visitor.kind === "somebody"
      ? visitor
      : undefined;
  const confirming = confirmed && fillIn(words.signedIn.text, { name: confirmed.name });
  const whose = sentence((waiting ?? shown)?.form?.account) ?? confirming;
  // The handing over has a sentence of its own.
  const request = shown?.stage.case === "handOver" ? undefined : shown?.oauth2LoginRequest;
  const application = request?.clientName ?? "";
  const describeNotice = (notice: Notice): string => {
    switch (notice) {
      case "replaced":
        return words.form.expired;
      case "another account":
        return fillIn(words.account.another, { name: account ?? "" }) ?? words.account.another;
      default:
        return words.meanwhile[notice];
    }
  };
  const wasRemoved =
    signedOut === sessionsRemoved ||
    (visitor.kind === "nobody" && visitor.sessionsRemoved && name === "login");
  const notice = stage.kind === "flow" ? stage.notice : undefined;
  const noticed =
    notice === undefined
      ? wasRemoved
        ? { kind: "error" as const, text: said.translate?.({ id: sessionsRemoved, text: "" }) ?? "" }
        : undefined
      : { kind: news.has(notice) ? ("info" as const) : ("error" as const), text: describeNotice(notice) };

  return (
    <FlowFrame
      page={name}
      shown={shown}
      waiting={waiting}
      options={said}
      title={sentence(shown?.form?.title) ?? words[name].title}
      heading={heading}
    >
      {question.drawn}
      {stage.kind === "loading" || stage.kind === "resuming" ? <Loading /> : null}
      {stage.kind === "deleted" ? <DeletionNotice {...stage} /> : null}
      {stage.kind === "failed" ? <Failure error={stage.error} retry={flowInUse.retry} /> : null}
      {stage.kind === "done" ? <Done goOn={stage.goOn} /> : null}
      {stage.kind === "marked" ? <Marked {...stage} /> : null}
      {shown?.form?.subtitle === undefined ? null : <p className="quiet">{sentence(shown.form.subtitle)}</p>}
      {application === "" ? null : (
        <p className="quiet">{fillIn(words.forApplication, { name: application })}</p>
      )}
      {whose === undefined ? null : <p className="quiet whose">{whose}</p>}
      {stage.kind === "flow" ? (
        <>
          <FlowForm
            flow={stage.flow}
            onSubmit={flowInUse.onSubmit}
            {...said}
            confirm={question.ask}
            lastUsedMethod={lastUsed}
            username={waiting === undefined ? confirmed?.address : usernameIn(waiting)}
            describeError={(error, waitMs) => describeError(error, words, waitMs)}
            notice={noticed === undefined ? undefined : { id: 0, ...noticed }}
            heading={heading}
          />
          <Aside name={name} flow={stage.flow} flowInUse={flowInUse} />
        </>
      ) : null}
    </FlowFrame>
  );
}

/** Notices that tell what has happened, and of nothing that was refused. */
const news: ReadonlySet<Notice> = new Set(["movedOn", "done", "created", "filledIn", "interrupted"]);

/** What there is beside the form: the way to another page, out of a question, or on without an answer. */
function Aside({
  name,
  flow,
  flowInUse,
}: {
  readonly name: FlowName;
  readonly flow: Flow;
  readonly flowInUse: FlowInUse;
}): JSX.Element | null {
  const words = useWords();
  const { visitor } = useVisit();
  const button = (label: string, press: () => void) => (
    <p className="aside">
      <button type="button" className="ostiary-button" data-importance="secondary" onClick={press}>
        {label}
      </button>
    </p>
  );
  if (flowInUse.waiting !== undefined) return button(words.ways.cancel, () => void flowInUse.cancel());
  if (isOffer(flow)) {
    return button(words.notNow, () => {
      putOff(flow);
      flowInUse.goOn(flow.returnTo);
    });
  }
  if (name === "login" && visitor.kind === "somebody" && flow.account === undefined) {
    return button(fillIn(words.signedIn.goOn, { name: visitor.name }) ?? words.ways.goOn, () =>
      flowInUse.goOn(flow.returnTo),
    );
  }
  // Once somebody has begun to prove who they are, a recovery helps with nothing that is asked here.
  if (name === "login" && isSentUnseen(flow)) {
    return (
      <p className="aside">
        {words.nothingCame.text} <PageLink to="verification">{words.nothingCame.link}</PageLink>
      </p>
    );
  }
  if (name === "login") return isAtFirstFactor(flow) ? <LoginLinks isOwned={!asksWho(flow)} /> : null;
  if (flow.returnTo !== "" && (name === "verification" || name === "settings")) {
    return (
      <p className="aside">
        {name === "verification" ? `${words.verification.other} ` : null}
        {/* The server has compared the address with its list. */}
        <a href={flow.returnTo}>{words.ways.toApp}</a>
      </p>
    );
  }
  // The pages of an account lead to each other by themselves.
  if (name === "settings") return null;
  // What is asked after a message has come is not whether somebody remembers their password.
  const isOther = name !== "recovery" || beginnings.has(flow.stage.case);
  return (
    <p className="aside">
      {isOther ? `${words[name].other} ` : null}
      <PageLink to={otherPage[name]}>{words[name].link}</PageLink>
    </p>
  );
}

function Done({ goOn }: { readonly goOn: () => void }): JSX.Element {
  const { said, ways } = useWords();
  return (
    <div className="stack">
      <p role="status">{said.doneBefore}</p>
      <button type="button" className="ostiary-button" data-importance="primary" onClick={goOn}>
        {ways.goOn}
      </button>
    </div>
  );
}

/** Asks somebody who has just signed in whether their account is to be deleted still, before they go on. */
function Marked({
  purgeTime,
  goOn,
}: Pick<Extract<FlowInUse["stage"], { kind: "marked" }>, "purgeTime" | "goOn">): JSX.Element {
  const { locale, marked } = useWords();
  const { visitor, look } = useVisit();
  const leave = async () => {
    const known = visitor.kind === "somebody" ? visitor : await look().catch(() => visitor);
    if (known.kind === "somebody") leaveDeletion(known.identityId, purgeTime);
    goOn();
  };
  return (
    <div className="stack">
      <p role="status">{fillIn(marked.text, { time: purgeTime.toISOString() }, locale)}</p>
      <DeletionChoice leave={() => void leave()} kept={() => goOn("kept")} />
    </div>
  );
}

/** What the owner of a flow signs in with, as its form has it out of sight; the login that it waits for does not say it. */
function usernameIn({ form }: Flow): string | undefined {
  const node = form?.nodes.find(({ name }) => name === "username");
  return node?.kind.case === "input" ? textOf(node.kind.value.value) : undefined;
}

/** Whether a login can be anybody's still: its form has the name, to be filled in or as it was. */
function asksWho({ form }: Flow): boolean {
  return form?.nodes.some(({ name }) => name === "identifier") ?? false;
}

/** Whether a login still asks for a first proof. */
function isAtFirstFactor({ stage }: Flow): boolean {
  return stage.case === "enterIdentifier" || (stage.case === "chooseMethod" && !stage.value.secondFactor);
}

/** Whether nobody knows if anything was sent: to what was typed. An address that is masked is one of an account. */
function isSentUnseen({ account, stage }: Flow): boolean {
  const isSent = stage.case === "enterCode" || stage.case === "linkSent";
  return isSent && account === undefined && !stage.value.sentTo.includes("*");
}

/** The stages of a recovery before anything was proved. */
const beginnings: ReadonlySet<Flow["stage"]["case"]> = new Set([
  "chooseMethod",
  "chooseAddress",
  "enterCode",
  "linkSent",
] as const);

/** The stages at which a login or a registration has just begun. */
const firstStages: ReadonlySet<Flow["stage"]["case"]> = new Set([
  "enterIdentifier",
  "chooseMethod",
  "fillProfile",
] as const);

/** Whether a flow is at its beginning and can be anybody's; an OAuth2 server has asked for the account that it wants. */
function asksAnybody(flow: Flow): boolean {
  const { account, oauth2LoginRequest, stage, form } = flow;
  const isFirst = account === undefined && oauth2LoginRequest === undefined && firstStages.has(stage.case);
  return isFirst && (asksWho(flow) || (form?.nodes.some(({ name }) => name.startsWith("traits.")) ?? false));
}

/** The page that each leads on to, for those who are at the wrong one. */
const otherPage = {
  registration: "login",
  verification: "sessions",
  recovery: "login",
} as const satisfies Record<Exclude<FlowName, "login" | "settings">, Route>;
