import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { listGitReferences, type GitReferences } from "../../index/git/git-source.ts";
import { shownUrl } from "../../index/upstream/secret.ts";
import type { WatchEvent } from "../event.ts";
import { Rounds } from "../rounds.ts";
import { sideBySide } from "../side-by-side.ts";
import { readPart, shortDigest } from "../state-part.ts";
import type { Poll, Watcher, WatchNote, WatchState } from "../watcher.ts";
import {
  compareReferences,
  firstReferences,
  KnownReferences,
  type WatchedReferences,
} from "./compare-references.ts";

export interface WatchedRepository extends WatchedReferences {
  /** https, without credentials: as `parseGitReference` gives it. */
  readonly url: string;
}

export interface GitReferencesOptions {
  readonly repositories: readonly WatchedRepository[];
  /** A directory of ours for what git needs while it asks. */
  readonly directory: string;
  readonly now: () => number;
  /** Of one round of all repositories; five minutes by default, and at least two seconds for each repository. */
  readonly intervalMs?: number;
  readonly confirmMs?: number;
  /** `addresses.allow` of creamery.toml. */
  readonly allow?: readonly string[];
  /** PEM text of authorities to trust besides this host's. */
  readonly ca?: string;
}

const INTERVAL_MS = 5 * 60_000;
/** A forge is asked five small questions for each repository. */
const EACH_MS = 2000;
const CONFIRM_MS = 10 * 60_000;
const TIMEOUT_MS = 60_000;
const MAX_REFERENCES = 20_000;
const BATCH = 4;
const CONNECTIONS = 2;
const AGAIN_MS = 60_000;
const MAX_AGAIN_MS = 60 * 60_000;

/** Tags and branches of git repositories, by asking each for its references; nothing is fetched. */
export class GitReferencesWatcher implements Watcher {
  readonly name = "git-references";
  readonly #options: GitReferencesOptions;
  readonly #repositories: ReadonlyMap<string, WatchedRepository>;
  readonly #rounds: Rounds;
  /** How often in a row it could not be asked: a timetable's, lost with the process. */
  readonly #failures = new Map<string, number>();

  constructor(options: GitReferencesOptions) {
    this.#options = options;
    this.#repositories = new Map(options.repositories.map((one) => [keyOf(one.project), one]));
    const least = this.#repositories.size * EACH_MS;
    const intervalMs = Math.max(options.intervalMs ?? INTERVAL_MS, least);
    this.#rounds = new Rounds([...this.#repositories.keys()], intervalMs, options.now());
  }

  async poll(state: WatchState, signal: AbortSignal): Promise<Poll> {
    const now = this.#options.now();
    const lagMs = Math.max(0, now - this.#rounds.nextDue());
    const keys = this.#rounds.take(now, BATCH);
    const answers = await sideBySide(keys, CONNECTIONS, (key) => this.#ask(key, signal));
    const events: WatchEvent[] = [];
    const changes = new Map<string, string | null>();
    const notes: WatchNote[] = [];
    let fault: CreameryError | null = null;
    for (const [index, key] of keys.entries()) {
      const [repository, answer] = [this.#repositories.get(key), answers[index]];
      if (repository === undefined || answer === undefined) continue;
      if (answer instanceof CreameryError) {
        fault ??= this.#failed(key, repository, answer, notes, now);
        continue;
      }
      this.#failures.delete(key);
      events.push(...this.#compare(key, repository, answer, state, changes, now));
    }
    for (const key of state.keys()) if (!this.#repositories.has(key)) changes.set(key, null);
    const nextPollMs = Math.max(this.#rounds.nextDue() - this.#options.now(), 0);
    return { events, changes, nextPollMs, lagMs: keys.length === 0 ? 0 : lagMs, notes, fault };
  }

  #compare(
    key: string,
    repository: WatchedRepository,
    shown: GitReferences,
    state: WatchState,
    changes: Map<string, string | null>,
    now: number,
  ): readonly WatchEvent[] {
    // Watched otherwise it begins anew: all tags of years would seem to be pushed now.
    const { url, branches, tags } = repository;
    const address = shortDigest(JSON.stringify([url, branches, tags]));
    const known = readPart(this.name, state, key, KnownReferences);
    if (known === null || known.repository !== address) {
      changes.set(key, JSON.stringify(firstReferences(address, shown, repository)));
      return [];
    }
    const confirmMs = this.#options.confirmMs ?? CONFIRM_MS;
    const compared = compareReferences(known, shown, repository, { now, confirmMs });
    const text = JSON.stringify(compared.known);
    if (state.get(key) !== text) changes.set(key, text);
    if (compared.more) this.#rounds.again(key, now);
    return compared.events;
  }

  async #ask(key: string, signal: AbortSignal): Promise<GitReferences | CreameryError> {
    const { repositories: _, directory: parent, allow, ca } = this.#options;
    const directory = await mkdtemp(join(parent, ".ask-git-"));
    try {
      return await listGitReferences(this.#repositories.get(key)?.url ?? "", {
        directory,
        signal,
        timeoutMs: TIMEOUT_MS,
        maxReferences: MAX_REFERENCES,
        ...(allow === undefined ? {} : { allow }),
        ...(ca === undefined ? {} : { ca }),
      });
    } catch (thrown) {
      signal.throwIfAborted();
      if (thrown instanceof CreameryError) return thrown;
      throw thrown;
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** Nothing that is known is forgotten: a repository that is back goes on. @returns what is wrong with all of them. */
  #failed(
    key: string,
    { project, url }: WatchedRepository,
    fault: CreameryError,
    notes: WatchNote[],
    now: number,
  ): CreameryError | null {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    this.#rounds.again(key, now + Math.min(AGAIN_MS * 2 ** (failures - 1), MAX_AGAIN_MS));
    if (failures === 1)
      notes.push({
        kind: "failing",
        project,
        reason: clip(printableLine(`${shownUrl(url)}: ${fault.line}`), 300),
      });
    return fault.code === "host-lacks" || this.#failures.size === this.#repositories.size
      ? fault
      : null;
  }
}

function keyOf(project: string): string {
  return `references:${project}`;
}
