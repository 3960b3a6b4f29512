import { randomBytes } from "node:crypto";

import type { Visibility } from "../model/principals.ts";
import type { LivePiece } from "../worker/coordinator.ts";

/** An attempt that has begun. */
export interface LiveAttempt {
  readonly attempt: string;
  /** Of the queue; null for what no queue knows of. */
  readonly job: string | null;
  readonly project: string;
  readonly visibility: Visibility;
  readonly configuration: string;
}

/** Something of the queue or of the results is another than it was. */
export type FarmChange =
  | {
      readonly kind: "job";
      readonly key: string;
      readonly project: string;
      readonly visibility: Visibility;
      readonly configuration: string;
      readonly state: string;
      readonly attempt: string | null;
    }
  | {
      readonly kind: "attempt";
      readonly id: string;
      readonly project: string;
      readonly visibility: Visibility;
      readonly configuration: string;
      readonly outcome: string;
    };

export interface LiveEvent {
  /** `BOOT-NUMBER`: what a reader names to go on after it. */
  readonly id: string;
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a reader meets: an event, nothing for a while, the note that it was too slow, or the end. */
export type Heard =
  | { readonly kind: "event"; readonly event: LiveEvent }
  | { readonly kind: "quiet" }
  | { readonly kind: "missed"; readonly count: number }
  | { readonly kind: "ended" };

export interface LiveBounds {
  /** Of one channel: of text kept for who comes late or reads slowly, */
  readonly channelChars: number;
  /** and of events. */
  readonly channelEvents: number;
  /** Of channels; the one that was written to longest ago is given up first. */
  readonly channels: number;
  readonly readers: number;
  /** What has ended is kept for so long, for who comes late. */
  readonly lingerMs: number;
  /** A reader that hears nothing hears that after so long. */
  readonly quietMs: number;
}

export const LIVE_BOUNDS: LiveBounds = {
  channelChars: 256 * 1024,
  channelEvents: 2000,
  channels: 1000,
  readers: 500,
  lingerMs: 60_000,
  quietMs: 15_000,
};

const FARM = "farm";
const MAX_PIECE_CHARS = 64 * 1024;

/** Everything of the farm that people watch while it happens: within one process, bounded, and forgotten with it. */
export class LiveEvents implements Disposable {
  readonly #bounds: LiveBounds;
  readonly #now: () => number;
  /** Of this process: another one's numbers mean nothing here. */
  readonly #boot = randomBytes(6).toString("hex");
  /** In the order in which they were last written to. */
  readonly #channels = new Map<string, Channel>();
  readonly #attempts = new Map<string, LiveAttempt>();
  #readers = 0;

  constructor(bounds: Partial<LiveBounds> = {}, now: () => number = Date.now) {
    this.#bounds = { ...LIVE_BOUNDS, ...bounds };
    this.#now = now;
  }

  /** How many read at present. */
  get readers(): number {
    return this.#readers;
  }

  get channels(): number {
    return this.#channels.size;
  }

  /** An attempt has begun. */
  begin(attempt: LiveAttempt): void {
    this.#attempts.delete(attempt.attempt);
    this.#attempts.set(attempt.attempt, attempt);
    if (this.#attempts.size > this.#bounds.channels) {
      const [oldest] = this.#attempts.keys();
      if (oldest !== undefined) this.#attempts.delete(oldest);
    }
    this.#tell(attempt, "begun", {
      attempt: attempt.attempt,
      configuration: attempt.configuration,
    });
  }

  /** Whether anything of a job is kept here. */
  hasJob(key: string): boolean {
    return this.#channels.has(jobChannel(key));
  }

  /** Whose an attempt is of which something is kept here, also shortly after its end; null for any other. */
  ownerOf(attempt: string): Owner | null {
    return this.#channels.get(attemptChannel(attempt))?.owner ?? null;
  }

  /** An attempt that runs, as it was begun; null for one that does not. */
  running(attempt: string): LiveAttempt | null {
    return this.#attempts.get(attempt) ?? null;
  }

  /** @returns false where there is no such attempt: it has ended, or was never begun here. */
  publish(attempt: string, piece: LivePiece): boolean {
    const running = this.#attempts.get(attempt);
    if (running === undefined) return false;
    switch (piece.kind) {
      case "log":
        for (let at = 0; at < piece.text.length; at += MAX_PIECE_CHARS)
          this.#tell(running, "log", { text: piece.text.slice(at, at + MAX_PIECE_CHARS) });
        return true;
      case "phase":
        this.#tell(running, "phase", { phase: piece.phase.slice(0, 100), atMs: piece.atMs });
        return true;
    }
  }

  /** An attempt has ended: who reads its log comes to its end. Said twice, it is once. */
  end(attempt: string, outcome: string | null): void {
    const running = this.#attempts.get(attempt);
    if (running === undefined) return;
    this.#attempts.delete(attempt);
    this.#tell(running, "ended", { attempt, outcome });
    this.#channels.get(attemptChannel(attempt))?.end(this.#now());
  }

  /** Says what has changed to who watches the farm; a job that is over ends what was read of it. */
  changed(change: FarmChange): void {
    const { visibility: _, ...data } = change;
    this.#write(FARM, change.kind, data, change);
    if (change.kind !== "job") return;
    const channel = jobChannel(change.key);
    this.#write(channel, "state", { state: change.state, attempt: change.attempt }, change);
    if (isOver(change.state)) this.#channels.get(channel)?.end(this.#now());
  }

  /** Has room for one reader more. */
  hasRoom(): boolean {
    return this.#readers < this.#bounds.readers;
  }

  /** The log and the phases of an attempt. */
  ofAttempt(attempt: string, reading: Reading): AsyncGenerator<Heard, void> {
    return this.#read(attemptChannel(attempt), reading);
  }

  /** The states of a job, and what comes of its attempts. */
  ofJob(key: string, reading: Reading): AsyncGenerator<Heard, void> {
    return this.#read(jobChannel(key), reading);
  }

  /** What changes in the queue and in the results. */
  ofFarm(reading: Reading): AsyncGenerator<Heard, void> {
    return this.#read(FARM, reading);
  }

  /** The farm ends: so does all that is followed. */
  [Symbol.dispose](): void {
    for (const channel of this.#channels.values()) channel.end(this.#now());
  }

  #tell(about: LiveAttempt, name: string, data: Readonly<Record<string, unknown>>): void {
    this.#write(attemptChannel(about.attempt), name, data, about);
    if (about.job !== null) this.#write(jobChannel(about.job), name, data, about);
  }

  #write(
    channel: string,
    name: string,
    data: Readonly<Record<string, unknown>>,
    about: Owner,
  ): void {
    const open = this.#open(channel);
    open.write(name, data, { project: about.project, visibility: about.visibility });
  }

  #open(name: string): Channel {
    const known = this.#channels.get(name);
    const channel =
      known === undefined || known.endedMs !== null
        ? new Channel(this.#boot, this.#bounds, known?.next ?? 0)
        : known;
    // Who still reads the one before comes to its end.
    this.#channels.delete(name);
    this.#channels.set(name, channel);
    this.#collect(name);
    return channel;
  }

  #collect(keep: string): void {
    const nowMs = this.#now();
    for (const [name, channel] of this.#channels) {
      const { endedMs } = channel;
      if (endedMs !== null && nowMs - endedMs > this.#bounds.lingerMs) this.#channels.delete(name);
    }
    for (const [name, channel] of this.#channels) {
      if (this.#channels.size <= this.#bounds.channels) break;
      if (name === keep || name === FARM) continue;
      channel.end(nowMs);
      this.#channels.delete(name);
    }
  }

  async *#read(name: string, reading: Reading): AsyncGenerator<Heard, void> {
    const { signal } = reading;
    const channel = this.#channels.get(name) ?? this.#open(name);
    this.#readers++;
    channel.readers++;
    try {
      let at = this.#startOf(channel, name, reading.after);
      for (;;) {
        if (signal.aborted) return;
        if (at < channel.first) {
          yield { kind: "missed", count: channel.first - at };
          return;
        }
        const next = channel.at(at);
        if (next !== undefined) {
          at++;
          if (reading.sees(next.owner)) yield { kind: "event", event: next.event };
          continue;
        }
        if (channel.endedMs !== null) {
          yield { kind: "ended" };
          return;
        }
        if (!(await channel.changed(this.#bounds.quietMs, signal))) yield { kind: "quiet" };
      }
    } finally {
      this.#readers--;
      channel.readers--;
      // One that was opened by who came too early, and in which nothing was ever written.
      if (channel.readers === 0 && channel.next === channel.first && channel.endedMs === null)
        if (this.#channels.get(name) === channel) this.#channels.delete(name);
    }
  }

  /** Who goes on goes on; who comes new to the farm's changes begins now, to anything else with all that is kept. */
  #startOf(channel: Channel, name: string, after: string | undefined): number {
    const [, boot, number] = /^([0-9a-f]{12})-(\d{1,15})$/u.exec(after ?? "") ?? [];
    if (boot === this.#boot && number !== undefined)
      return Math.min(Number(number) + 1, channel.next);
    return name === FARM ? channel.next : channel.first;
  }
}

export interface Owner {
  readonly project: string;
  readonly visibility: Visibility;
}

export interface Reading {
  /** The id of the last event that was read before. */
  readonly after?: string | undefined;
  /** Whether who reads gets to see what belongs to a project; asked for each event. */
  sees(owner: Owner): boolean;
  readonly signal: AbortSignal;
}

const attemptChannel = (attempt: string): string => `attempt:${attempt}`;
const jobChannel = (key: string): string => `job:${key}`;

const OVER: ReadonlySet<string> = new Set(["done", "dead", "cancelled", "superseded"]);

/** Whether nothing more comes of a job in this state, unless an operator has it tried again. */
export function isOver(state: string): boolean {
  return OVER.has(state);
}

interface Kept {
  readonly event: LiveEvent;
  readonly owner: Owner;
  readonly chars: number;
}

/** The last events of one thing. Readers hold their own place in it, and nothing else: a slow one costs nothing. */
class Channel {
  readonly #boot: string;
  readonly #bounds: LiveBounds;
  #kept: Kept[] = [];
  #chars = 0;
  #first: number;
  #waiting = Promise.withResolvers<void>();
  endedMs: number | null = null;
  readers = 0;
  /** Of what was written last. */
  owner: Owner | null = null;

  constructor(boot: string, bounds: LiveBounds, first: number) {
    this.#boot = boot;
    this.#bounds = bounds;
    this.#first = first;
  }

  get first(): number {
    return this.#first;
  }

  get next(): number {
    return this.#first + this.#kept.length;
  }

  at(number: number): Kept | undefined {
    return this.#kept[number - this.#first];
  }

  write(name: string, data: Readonly<Record<string, unknown>>, owner: Owner): void {
    const chars = JSON.stringify(data).length;
    const id = `${this.#boot}-${this.next}`;
    this.owner = owner;
    this.#kept.push({ event: { id, name, data }, owner, chars });
    this.#chars += chars;
    const { channelChars, channelEvents } = this.#bounds;
    let gone = 0;
    // The newest stays, however long it is.
    while (
      gone < this.#kept.length - 1 &&
      (this.#chars > channelChars || this.#kept.length - gone > channelEvents)
    )
      this.#chars -= this.#kept[gone++]?.chars ?? 0;
    if (gone > 0) {
      this.#kept = this.#kept.slice(gone);
      this.#first += gone;
    }
    this.#wake();
  }

  end(nowMs: number): void {
    this.endedMs ??= nowMs;
    this.#wake();
  }

  /** @returns false when nothing came for so long. */
  async changed(quietMs: number, signal: AbortSignal): Promise<boolean> {
    const quiet = Promise.withResolvers<false>();
    const timer = setTimeout(() => quiet.resolve(false), quietMs);
    const aborted = (): void => quiet.resolve(false);
    signal.addEventListener("abort", aborted, { once: true });
    try {
      return await Promise.race([this.#waiting.promise.then(() => true), quiet.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
    }
  }

  #wake(): void {
    this.#waiting.resolve();
    this.#waiting = Promise.withResolvers<void>();
  }
}
