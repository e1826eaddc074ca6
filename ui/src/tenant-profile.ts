import { getTenantProfile } from "@ostiary/sdk";
import type { TenantProfile } from "@ostiary/sdk/v1/flow";
import { createContext, useContext, useEffect, useState } from "react";
import { ostiary } from "./ostiary.ts";

/**
 * The tenant's profile as far as it is known. If it cannot be loaded, the pages offer everything, and the server refuses what
 * it must.
 */
export type KnownProfile = TenantProfile | "loading" | "unknown";

/** Passes the profile to the pages within. */
export const ProfileContext = createContext<KnownProfile>("loading");

/** The profile from the context. */
export function useProfile(): KnownProfile {
  return useContext(ProfileContext);
}

/** Loads the profile once. */
export function useLoadedProfile(): KnownProfile {
  const [profile, setProfile] = useState<KnownProfile>("loading");
  useEffect(() => {
    getTenantProfile(ostiary).then(setProfile, () => setProfile("unknown"));
  }, []);
  return profile;
}

/** The name of the service; empty while it is not known. */
export function brandNameOf(profile: KnownProfile): string {
  if (profile === "loading") return "";
  return (profile === "unknown" ? undefined : profile.branding?.name) ?? "Ostiary";
}
