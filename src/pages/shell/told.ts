/** What was done, to be told by the page that is shown next: of a closed table, so that no link can put words there. */

const counted = (count: number, one: string, many: string): string =>
  count === 1 ? `One ${one}` : `${count} ${many}`;

const TEXTS = {
  "logged-in": () => "You are logged in.",
  "logged-out": () => "You are logged out.",
  "logged-out-everywhere": () => "You are logged out here and everywhere else.",
  retried: () => "The job is queued again.",
  cancelled: () => "The job is cancelled.",
  queued: (count) => `${counted(count, "job was", "jobs were")} added to the queue.`,
  known: () => "Nothing was added: the same waits already.",
  drained: () => "The host ends what it runs, and is given nothing more.",
  resumed: () => "The host is given jobs again.",
  promoted: () => "The channel points to that image now. Hosts run on it when they start next.",
  watched: (count) => `${counted(count, "project is", "projects are")} watched from now on.`,
  unwatched: () => "The project is watched no more.",
} as const satisfies Readonly<Record<string, (count: number) => string>>;

export interface Told {
  readonly what: keyof typeof TEXTS;
  readonly count: number;
}

export function toldText({ what, count }: Told): string {
  return TEXTS[what](count);
}

/** For a cookie: `queued.6`. */
export function toldWord({ what, count }: Told): string {
  return `${what}.${count}`;
}

/** @returns null for what is no such word. */
export function readTold(word: string | undefined): Told | null {
  const [, what = "", count = ""] = /^([a-z-]{1,30})\.(\d{1,6})$/u.exec(word ?? "") ?? [];
  return isKnown(what) ? { what, count: Number(count) } : null;
}

function isKnown(what: string): what is keyof typeof TEXTS {
  return Object.hasOwn(TEXTS, what);
}
