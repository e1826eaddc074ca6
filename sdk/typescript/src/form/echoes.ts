// SPDX-License-Identifier: Apache-2.0

/** Within this time a second click at the same place belongs to the first. */
const mostMs = 400;
/** How far the pointer of a person who clicks twice moves, in pixels. */
const mostMove = 6;

/** Tells the clicks of people who click twice from those that they mean. */
export interface Echoes {
  /** Whether a click within a form is only the echo of the one before. To be asked of each. */
  isEcho(click: MouseEvent): boolean;
  /** To be told when something is typed or answered: the next click is meant. */
  forget(): void;
}

/**
 * People who click twice press what is under the pointer by then: after a fast answer that is another button, such as the one that sends
 * another code. A click by the keyboard is never an echo, nor is one on the same button again.
 */
export function createEchoes(): Echoes {
  let last: { readonly click: MouseEvent; readonly button: string } | undefined;
  return {
    isEcho: (click) => {
      const button = submitButtonOf(click.target);
      if (button === undefined || click.detail === 0) return false;
      const former = last;
      last = { click, button };
      if (former === undefined || former.button === button) return false;
      // Browsers that count the clicks know the time that the person has set for it.
      const isSoon = click.detail > 1 || click.timeStamp - former.click.timeStamp < mostMs;
      return isSoon && isNear(click, former.click, "client") && isNear(click, former.click, "page");
    },
    forget: () => {
      last = undefined;
    },
  };
}

/** Where a click was, in the window and on the page: people who scroll in between mean what they click. */
function isNear(one: MouseEvent, other: MouseEvent, within: "client" | "page"): boolean {
  const isClose = (axis: "X" | "Y") =>
    Math.abs(one[`${within}${axis}`] - other[`${within}${axis}`]) <= mostMove;
  return isClose("X") && isClose("Y");
}

/** What a button sends; undefined if a click was on none. */
function submitButtonOf(target: EventTarget | null): string | undefined {
  const button =
    target instanceof Element ? target.closest<HTMLButtonElement>('button[type="submit"]') : null;
  return button === null ? undefined : `${button.dataset.step} ${button.name} ${button.value}`;
}
