import { getTenantProfile } from "@ostiary/sdk";
import type { TenantProfile } from "@ostiary/sdk/v1/flow";
import { createContext, useContext, useEffect, useState } from "react";
import { ostiary } from "./ostiary.ts";

/** What is known of the server. Where its profile cannot be had, the pages offer everything, and the server refuses what it must. */
export type KnownProfile = TenantProfile | "loading" | "unknown";

/** What is known of the server, for the pages within. */
export const ProfileContext = createContext<KnownProfile>("loading");

/** What is known of the server. */
export function useProfile(): KnownProfile {
  return useContext(ProfileContext);
}

/** Asks for the profile, once. */
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
