import type { Heard, LiveEvent, Reading } from "../live-events.ts";
import { problemAnswer, Refused } from "./answers.ts";
import { z } from "@hono/zod-openapi";
import type { ApiContext, ApiDeps } from "./api-deps.ts";

/** Server-sent events (HTML, 9.2): for browsers' `EventSource`, and for `curl -N`. */

const RECHECK_MS = 15_000;
const RETRY_MS = 3000;
const BUSY_SECONDS = 30;

/** What is sent first, without an id of its own: how it stands. */
export type FirstWord = Omit<LiveEvent, "id">;

export interface Stream {
  readonly first: readonly FirstWord[];
  /** What is followed after that; null where nothing more comes. */
  readonly follow: ((reading: Reading) => AsyncGenerator<Heard, void>) | null;
  /** Whether an event is for who asks; asked again with what they may see by then. */
  readonly sees: (owner: Parameters<Reading["sees"]>[0]) => boolean;
  /** Whether all has happened, asked when nothing has come for a while: where nothing comes for as long again, it is the end. */
  readonly isOver?: () => Promise<boolean>;
}

/** @throws Refused 503 where too many read already. */
export function eventStream(context: ApiContext, deps: ApiDeps, stream: Stream): Response {
  if (!deps.live.hasRoom())
    throw new Refused({
      status: 503,
      detail:
        "too many follow the farm's events at present: try again, or ask now and then instead",
      headers: { "retry-after": String(BUSY_SECONDS) },
    });
  const left = new AbortController();
  const signal = AbortSignal.any([left.signal, context.req.raw.signal]);
  const shown = new Shown(context, deps);
  const chunks = textOf(context, shown, stream, signal);
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
      async cancel() {
        left.abort();
        await chunks.return();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      // nginx would wait for more.
      "x-accel-buffering": "no",
    },
  });
}

async function* textOf(
  context: ApiContext,
  shown: Shown,
  { first, follow, sees, isOver }: Stream,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  yield `retry: ${RETRY_MS}\n\n`;
  for (const { name, data } of first) yield eventText(name, data);
  if (follow === null) {
    yield eventText("end", {});
    return;
  }
  const after = context.req.header("last-event-id");
  let wasOver = false;
  for await (const heard of follow({ after, sees, signal })) {
    if (!(await shown.isGood())) return;
    switch (heard.kind) {
      case "event":
        yield eventText(heard.event.name, heard.event.data, heard.event.id);
        break;
      case "quiet":
        // The store knows it before it is told: whoever follows hears the rest first.
        if (wasOver) {
          yield eventText("end", {});
          return;
        }
        yield ": still here\n\n";
        wasOver = isOver !== undefined && (await isOver());
        break;
      case "missed":
        yield eventText("dropped", {
          missed: heard.count,
          why: "this reader was too slow: begin again, from what is kept",
        });
        return;
      case "ended":
        yield eventText("end", {});
        return;
    }
  }
}

function eventText(name: string, data: Readonly<Record<string, unknown>>, id?: string): string {
  // JSON on one line: no text of a guest's ends an event.
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** A stream outlives the moment in which it was seen who asks: that is looked at again now and then. */
class Shown {
  readonly #context: ApiContext;
  readonly #deps: Pick<ApiDeps, "nowMs">;
  #checkedMs: number;

  constructor(context: ApiContext, deps: Pick<ApiDeps, "nowMs">) {
    this.#context = context;
    this.#deps = deps;
    this.#checkedMs = deps.nowMs();
  }

  async isGood(): Promise<boolean> {
    const nowMs = this.#deps.nowMs();
    if (nowMs - this.#checkedMs < RECHECK_MS) return true;
    this.#checkedMs = nowMs;
    const fresh = await this.#context
      .get("again")()
      .catch(() => null);
    if (fresh === null) return false;
    this.#context.set("principal", fresh);
    return true;
  }
}

/** How a stream is described. */
export const STREAM_ANSWERS = {
  200: {
    description: "Events, until what is followed ends",
    content: { "text/event-stream": { schema: z.string() } },
  },
  503: problemAnswer("Too many follow the farm's events at present"),
};

export const STREAM_HEADERS = z.object({
  "last-event-id": z.string().max(200).optional().openapi({
    description: "Of the last event that was read: goes on after it, as far as that is kept",
  }),
});
