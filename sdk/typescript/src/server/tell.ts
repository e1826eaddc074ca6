// SPDX-License-Identifier: Apache-2.0

/**
 * Tells a listener of the app's, such as its log. Never throws and never rejects.
 *
 * Security rule (SR-SDK-1): a log that is down must not end the process, nor replace the answer; there is nobody else to tell.
 */
export async function tell<Told>(listener: ((told: Told) => unknown) | undefined, told: Told): Promise<void> {
  try {
    await listener?.(told);
  } catch {
    // What the listener was told of is answered all the same.
  }
}
