// SPDX-License-Identifier: Apache-2.0

/** Whether texts can be copied: browsers have no clipboard in pages over http. */
export function canCopy(): boolean {
  return globalThis.navigator?.clipboard !== undefined;
}

/** Copies a text. Gives whether the browser allowed it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
