import { describeForm, type FlowName, type FormOptions, layoutOf } from "@ostiary/sdk/form";
import { type Flow, FormMessageType } from "@ostiary/sdk/v1/flow";
import type { JSX } from "react";
import { flowIdInAddress } from "../navigation.ts";
import type { PageSection } from "./account-nav.tsx";
import { AccountPage } from "./account-page.tsx";
import { Page, type PageProps } from "./page.tsx";
import { isOffer } from "./passkey-offer.ts";

interface FlowFrameProps extends PageProps {
  readonly page: FlowName;
  /** The flow that is drawn; undefined if there is none yet, or none any more. */
  readonly shown: Flow | undefined;
  /** The flow that waits for the one that is drawn. */
  readonly waiting: Flow | undefined;
  /** How the form is drawn. */
  readonly options: FormOptions;
}

/** The frame of the page of a flow: settings are a page of the account, all others stand alone. */
export function FlowFrame({ page, shown, waiting, options, ...rest }: FlowFrameProps): JSX.Element {
  const hasErrors = shown !== undefined && isWrong(shown);
  const owned = waiting ?? shown;
  const isAccount = owned === undefined ? flowIdInAddress() === undefined : isOwn(owned);
  if (page === "settings" && isAccount) {
    const sections = shown === undefined ? [] : sectionsOf(shown, options);
    const name = owned?.account?.displayName;
    return <AccountPage {...rest} current="settings" name={name} sections={sections} hasErrors={hasErrors} />;
  }
  return <Page {...rest} hasErrors={hasErrors} />;
}

/** Whether a flow changes an account whose owner is here; not what follows a recovery, nor the offer after a login. */
function isOwn(flow: Flow): boolean {
  return flow.account !== undefined && !isOffer(flow);
}

function sectionsOf(flow: Flow, options: FormOptions): readonly PageSection[] {
  return layoutOf(describeForm(flow, options).parts).flatMap(({ section }) =>
    section === undefined ? [] : [{ title: section.heading, headingId: section.headingId }],
  );
}

/** Whether the form says that something is wrong; the title of the page then begins with that. */
function isWrong({ form }: Flow): boolean {
  const said = [...(form?.messages ?? []), ...(form?.nodes ?? []).flatMap(({ messages }) => messages)];
  return said.some(({ type }) => type === FormMessageType.ERROR);
}
