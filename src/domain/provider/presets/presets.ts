import type { ProviderPreset } from "../preset.ts";
import { presets } from "./presets.generated.ts";

/** The preset of an id. */
export function findPreset(id: string): ProviderPreset | undefined {
  return presets.find((preset) => preset.id === id);
}
