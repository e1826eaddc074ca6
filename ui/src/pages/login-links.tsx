import { RegistrationMode } from "@ostiary/sdk/v1/flow";
import type { JSX } from "react";
import { useWords } from "../language/index.ts";
import { useProfile } from "../tenant-profile.ts";
import { PageLink } from "./page-link.tsx";

/**
 * What the login page offers to those who cannot sign in: only what the server lets people do. `isOwned`: the login is that of an account
 * already, so nobody is asked to make one.
 */
export function LoginLinks({ isOwned }: { readonly isOwned: boolean }): JSX.Element | null {
  const words = useWords();
  const profile = useProfile();
  if (profile === "loading") return null;
  const { registration, recovery } = profile === "unknown" ? {} : profile;
  const recovers = recovery?.enabled !== false;
  const isClosed = isOwned || registration?.mode === RegistrationMode.CLOSED;
  if (isClosed && !recovers) return null;
  return (
    <p className="aside ways">
      {isClosed ? null : (
        <span>
          <RegistrationLink mode={registration?.mode} />
        </span>
      )}
      {recovers ? <PageLink to="recovery">{words.recovery.title}</PageLink> : null}
    </p>
  );
}

function RegistrationLink({ mode }: { readonly mode: RegistrationMode | undefined }): JSX.Element {
  const words = useWords();
  if (mode === RegistrationMode.INVITATION) return <>{words.invitationOnly}</>;
  return (
    <>
      {words.login.other} <PageLink to="registration">{words.login.link}</PageLink>
    </>
  );
}
