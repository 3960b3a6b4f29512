import type { Coordinator, LivePiece } from "./coordinator.ts";

const EVERY_MS = 200;
/** Of what was not sent yet: who watches misses what is more. */
const MOST_CHARS = 128 * 1024;
const MOST_PHASES = 50;
const SEND_MS = 10_000;

/** Sends what comes of one attempt to who watches, a few times a second. The attempt never waits for it, nor fails by it. */
export class LiveFeed {
  readonly #coordinator: Pick<Coordinator, "tell">;
  readonly #attempt: string;
  #phases: LivePiece[] = [];
  #text = "";
  #planned = false;
  #sending = false;

  constructor(coordinator: Pick<Coordinator, "tell">, attempt: string) {
    this.#coordinator = coordinator;
    this.#attempt = attempt;
  }

  phase(phase: string): void {
    if (this.#phases.length < MOST_PHASES)
      this.#phases.push({ kind: "phase", phase: phase.slice(0, 100), atMs: Date.now() });
    this.#soon();
  }

  log(text: string): void {
    this.#text += text.slice(0, Math.max(0, MOST_CHARS - this.#text.length));
    this.#soon();
  }

  #soon(): void {
    if (this.#planned) return;
    this.#planned = true;
    setTimeout(() => void this.#send(), EVERY_MS).unref();
  }

  async #send(): Promise<void> {
    this.#planned = false;
    if (this.#sending) return this.#soon();
    const pieces: LivePiece[] = [...this.#phases];
    if (this.#text !== "") pieces.push({ kind: "log", text: this.#text });
    this.#phases = [];
    this.#text = "";
    if (pieces.length === 0) return;
    this.#sending = true;
    try {
      await this.#coordinator.tell(this.#attempt, pieces, AbortSignal.timeout(SEND_MS));
    } catch {
      // Nobody depends on it.
    } finally {
      this.#sending = false;
    }
  }
}
