import type { JSX } from "react";
import { useWords } from "../language/index.ts";
import { brandNameOf, useProfile } from "../tenant-profile.ts";

/** The logo of the service, or its name. */
export function Brand(): JSX.Element {
  const profile = useProfile();
  const name = brandNameOf(profile);
  const { logoUrl = "", logoDarkUrl = "" } = (typeof profile === "object" && profile.branding) || {};
  // The door is ours: a service with a name of its own stands without it.
  const isOurs = name === "Ostiary" && logoUrl === "";
  return (
    <p className={isOurs ? "brand door" : "brand"}>
      {logoUrl === "" ? (
        name
      ) : (
        <picture>
          {logoDarkUrl === "" ? null : <source media="(prefers-color-scheme: dark)" srcSet={logoDarkUrl} />}
          <img src={logoUrl} alt={name} />
        </picture>
      )}
    </p>
  );
}

/** The links below every page; nothing if none is configured. */
export function PageFooter(): JSX.Element | null {
  const { around } = useWords();
  const profile = useProfile();
  const branding = typeof profile === "object" ? profile.branding : undefined;
  if (branding === undefined) return null;
  const { termsUrl, privacyUrl, supportUrl, supportEmail } = branding;
  const links = [
    { url: termsUrl, text: around.terms },
    { url: privacyUrl, text: around.privacy },
    { url: supportUrl || (supportEmail === "" ? "" : `mailto:${supportEmail}`), text: around.support },
  ].filter(({ url }) => url !== "");
  if (links.length === 0) return null;
  return (
    <footer className="bottom">
      {links.map(({ url, text }) => (
        <a key={text} href={url}>
          {text}
        </a>
      ))}
    </footer>
  );
}

/** Says in development where the messages are. */
export function DevelopmentNotice(): JSX.Element | null {
  const { around } = useWords();
  const profile = useProfile();
  if (typeof profile !== "object" || profile.mailboxUrl === "") return null;
  return (
    <aside className="development">
      <span>{around.development}</span>
      <a href={profile.mailboxUrl} target="_blank" rel="noreferrer">
        {around.mailbox}
      </a>
    </aside>
  );
}
