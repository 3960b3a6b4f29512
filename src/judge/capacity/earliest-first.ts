/** What happens at an instant of the simulated clock. */
export interface Timed {
  readonly atMs: number;
}

/** What is to come, the earliest first; a binary heap. */
export class EarliestFirst<Event extends Timed> {
  readonly #events: Event[] = [];

  /** Infinity where nothing is to come. */
  get nextMs(): number {
    return this.#events[0]?.atMs ?? Infinity;
  }

  add(event: Event): void {
    const events = this.#events;
    let place = events.push(event) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = events[above];
      if (parent === undefined || parent.atMs <= event.atMs) break;
      events[place] = parent;
      events[above] = event;
      place = above;
    }
  }

  /** The earliest, if it is due by then. */
  takeDue(nowMs: number): Event | undefined {
    return this.nextMs <= nowMs ? this.#take() : undefined;
  }

  #take(): Event | undefined {
    const events = this.#events;
    const [first] = events;
    const last = events.pop();
    if (last === undefined || events.length === 0) return first;
    let place = 0;
    for (;;) {
      const [left, right] = [2 * place + 1, 2 * place + 2];
      const smaller = timeAt(events, right) < timeAt(events, left) ? right : left;
      const child = events[smaller];
      if (child === undefined || child.atMs >= last.atMs) break;
      events[place] = child;
      place = smaller;
    }
    events[place] = last;
    return first;
  }
}

function timeAt(events: readonly Timed[], place: number): number {
  return events[place]?.atMs ?? Infinity;
}
