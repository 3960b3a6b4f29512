import { setTimeout as sleep } from "node:timers/promises";

import { agentsAmong, isRuntime } from "../process-tree.ts";
import type { ServiceProcess } from "./service-process.ts";

export const VICTIMS = [
  "coordinator",
  "coordinator's launcher",
  "worker",
  "worker's launcher",
  "guest",
  "agent",
] as const;
export type Victim = (typeof VICTIMS)[number];

export interface KillsOptions {
  readonly coordinator: ServiceProcess;
  readonly workers: readonly ServiceProcess[];
  readonly seed: number;
  readonly kills: number;
  /** Between two of them at most, ms. */
  readonly longestPauseMs: number;
}

const LOOK_MS = 50;
const NO_VICTIM_MS = 50;

/** `kill -9` at random instants, and what starts again what has ended, as systemd would. */
export class RandomKills {
  readonly done: Record<Victim, number> = {
    coordinator: 0,
    "coordinator's launcher": 0,
    worker: 0,
    "worker's launcher": 0,
    guest: 0,
    agent: 0,
  };
  /** Services that ended although nobody killed them, once they had begun their work. */
  readonly gaveUp: string[] = [];
  readonly #options: KillsOptions;
  readonly #random: () => number;
  /** By service: of which life, and whether it was killed. */
  readonly #killed = new Map<ServiceProcess, number>();

  constructor(options: KillsOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed);
  }

  get count(): number {
    return Object.values(this.done).reduce((sum, one) => sum + one, 0);
  }

  /** Until all kills are done. */
  async run(signal: AbortSignal): Promise<void> {
    const { kills, longestPauseMs } = this.#options;
    while (this.count < kills && !signal.aborted) {
      await sleep(this.#random() * longestPauseMs);
      const wanted = VICTIMS[Math.floor(this.#random() * VICTIMS.length)] ?? "worker";
      // A guest may have to be waited for, and that is no pause that was drawn.
      while (!signal.aborted && !this.#kill(wanted)) await sleep(NO_VICTIM_MS);
    }
  }

  /** Starts what has ended, until the signal. */
  async supervise(signal: AbortSignal): Promise<void> {
    const { coordinator, workers } = this.#options;
    while (!signal.aborted) {
      for (const service of [coordinator, ...workers]) {
        if (service.pid !== undefined) continue;
        if (this.#killed.get(service) !== service.lives && service.isAtWork)
          this.gaveUp.push(`${service.name}: ${service.said}`);
        service.start();
      }
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #kill(victim: Victim): boolean {
    const { coordinator, workers } = this.#options;
    const worker = workers[Math.floor(this.#random() * workers.length)] ?? coordinator;
    switch (victim) {
      case "coordinator":
        return this.#killService(victim, coordinator, coordinator.commandLine());
      case "coordinator's launcher":
        return this.#killService(victim, coordinator, coordinator.pid);
      case "worker":
        return this.#killService(victim, worker, worker.commandLine());
      case "worker's launcher":
        return this.#killService(victim, worker, worker.pid);
      case "guest":
        return this.#killOne(victim, worker.below().filter(isRuntime));
      case "agent":
        return this.#killOne(victim, agentsAmong(worker.below()));
    }
  }

  #killService(victim: Victim, service: ServiceProcess, pid: number | undefined): boolean {
    if (pid === undefined) return false;
    this.#killed.set(service, service.lives);
    return this.#signal(victim, pid);
  }

  #killOne(victim: Victim, processes: readonly { readonly pid: number }[]): boolean {
    const chosen = processes[Math.floor(this.#random() * processes.length)];
    return chosen !== undefined && this.#signal(victim, chosen.pid);
  }

  #signal(victim: Victim, pid: number): boolean {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      return false;
    }
    this.done[victim]++;
    return true;
  }
}

/** Numbers from 0 to 1, the same ones again for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
