import type { Database } from "../store/database.ts";
import {
  claimNotice,
  endNotice,
  nextNotices,
  postponeNotices,
  type NoticeEnd,
  type WaitingNotice,
} from "../store/sql/notice-rows.ts";
import { backoffMs } from "../watch/backoff.ts";
import { Notice } from "./change-notice.ts";
import type { Delivery, NoticeTarget } from "./notice-target.ts";

export interface NoticeEvents {
  /** One try, whatever came of it. */
  onTried?(target: NoticeTarget, delivery: Delivery): void;
  /** Once when a target begins to take nothing, and with null when it takes something again. */
  onFault?(target: NoticeTarget, reason: string | null): void;
  /** It is over, and was not delivered. */
  onLost?(target: NoticeTarget, end: NoticeEnd, reason: string): void;
}

export interface NoticeSenderOptions {
  readonly database: Database;
  readonly targets: readonly NoticeTarget[];
  readonly events?: NoticeEvents;
  /** Ms since 1970, as `Date.now`. */
  readonly now?: () => number;
  /** 0 to 1, as `Math.random`. */
  readonly random?: () => number;
}

/** More than a try can take: what was claimed and never ended is tried by another then. */
const CLAIM_MS = 2 * 60_000;
const GIVE_UP_MS = 48 * 3_600_000;
const AT_ONCE = 50;

/**
 * Sends what waits: to each host one after the other, hosts side by side. What is not taken is tried again, ever more seldom, for two
 * days. A process that dies between sending and noting it leaves it to be sent once more under the same id.
 */
export class NoticeSender {
  readonly #options: NoticeSenderOptions;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #failing = new Set<string>();
  /** In a row: a host that is away is asked ever more seldom, however much waits for it. */
  readonly #hostFailures = new Map<string, number>();

  constructor(options: NoticeSenderOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
  }

  /** Tries what is due. @returns whether there may be more. @throws CreameryError `store`. */
  async round(signal: AbortSignal): Promise<boolean> {
    const { database } = this.#options;
    const due = await database.read((db) => nextNotices(db, this.#now(), AT_ONCE));
    const byHost = new Map<string, { row: WaitingNotice; target: NoticeTarget }[]>();
    for (const row of due) {
      const target = this.#options.targets.find(
        ({ kind, project }) => kind === row.target && project === row.project,
      );
      if (target === undefined) {
        await this.#end(row, "dropped", null);
        continue;
      }
      const group = byHost.get(target.host) ?? [];
      group.push({ row, target });
      byHost.set(target.host, group);
    }
    await Promise.all([...byHost.values()].map((group) => this.#sendAll(group, signal)));
    return due.length === AT_ONCE;
  }

  async #sendAll(
    group: readonly { readonly row: WaitingNotice; readonly target: NoticeTarget }[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const [index, { row, target }] of group.entries()) {
      if (signal.aborted) return;
      const pausedMs = await this.#send(row, target, signal);
      if (pausedMs === null) continue;
      const rest = group.slice(index + 1).map((one) => one.row.id);
      await this.#options.database.write((within) =>
        postponeNotices(within, rest, this.#now() + pausedMs, null),
      );
      return;
    }
  }

  /** @returns for how long its host is to be left alone; null where others may be sent there. */
  async #send(
    row: WaitingNotice,
    target: NoticeTarget,
    signal: AbortSignal,
  ): Promise<number | null> {
    const { database, events } = this.#options;
    const notice = Notice.parse(JSON.parse(row.body));
    const nowMs = this.#now();
    const isClaimed = await database.write((within) => claimNotice(within, row, nowMs + CLAIM_MS));
    if (!isClaimed) return null;
    const isRepeat = row.tries > 0;
    const delivery = await target.send({ id: row.key, notice, isRepeat, nowMs }, signal);
    if (signal.aborted && delivery.kind === "later") {
      await this.#postpone(row, 0, null);
      return null;
    }
    events?.onTried?.(target, delivery);
    this.#note(target, delivery);
    switch (delivery.kind) {
      case "delivered":
        await this.#end(row, "delivered", null);
        return null;
      case "refused":
        await this.#end(row, "refused", delivery.reason);
        events?.onLost?.(target, "refused", delivery.reason);
        return null;
      case "later":
        break;
    }
    const { reason, afterMs, isOfHost } = delivery;
    const failures = Math.max(row.tries + 1, this.#hostFailures.get(target.host) ?? 0);
    const waitMs = backoffMs(failures, afterMs, this.#random());
    if (this.#now() - row.made_ms >= GIVE_UP_MS) {
      await this.#end(row, "expired", reason);
      events?.onLost?.(target, "expired", reason);
    } else await this.#postpone(row, waitMs, reason);
    return isOfHost ? waitMs : null;
  }

  #note(target: NoticeTarget, delivery: Delivery): void {
    const { host } = target;
    if (delivery.kind === "later" && delivery.isOfHost)
      this.#hostFailures.set(host, (this.#hostFailures.get(host) ?? 0) + 1);
    else this.#hostFailures.delete(host);
    const key = `${target.kind} ${target.project}`;
    if (delivery.kind === "later") {
      if (!this.#failing.has(key)) this.#options.events?.onFault?.(target, delivery.reason);
      this.#failing.add(key);
    } else if (this.#failing.delete(key)) this.#options.events?.onFault?.(target, null);
  }

  #end(row: WaitingNotice, end: NoticeEnd, answer: string | null): Promise<void> {
    return this.#options.database.write((within) =>
      endNotice(within, row.id, end, answer, this.#now()),
    );
  }

  #postpone(row: WaitingNotice, waitMs: number, answer: string | null): Promise<void> {
    return this.#options.database.write((within) =>
      postponeNotices(within, [row.id], this.#now() + Math.round(waitMs), answer),
    );
  }
}
