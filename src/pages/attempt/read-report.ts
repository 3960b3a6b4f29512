import { z } from "zod";

import type { TestResult } from "../../model/attempt.ts";
import { jsonItems, type JsonItem } from "./json-items.ts";

/** An attempt's report as far as pages show it. */
export interface ReadReport {
  readonly tests: readonly TestResult[];
  /** Tests that there was no room for. */
  readonly left: number;
  /** Modules of tests that could not be loaded. */
  readonly collectionErrors: readonly { readonly id: string; readonly message: string }[];
  /** About what it takes to keep it. */
  readonly chars: number;
}

export interface ReportBounds {
  readonly tests: number;
  readonly chars: number;
}

const MAX_COLLECTION_ERRORS = 500;
const MAX_ID_CHARS = 500;
const MAX_MESSAGE_CHARS = 4000;
/** Of an object, besides its texts. */
const ITEM_CHARS = 64;

const Test = z.object({
  id: z.string(),
  outcome: z.enum(["passed", "failed", "error", "skipped", "xfailed", "xpassed"]),
  seconds: z.number().nonnegative(),
  message: z.string().optional(),
});
const CollectionError = z.object({ id: z.string(), message: z.string() });

/**
 * Reads a report (`report.json`) as it comes, so that nothing but what is kept of it is ever held: what failed is kept before
 * what did not, as far as there is room. What is no report is one without tests.
 */
export async function readReport(
  content: AsyncIterable<unknown>,
  bounds: ReportBounds,
): Promise<ReadReport> {
  const tests: TestResult[] = [];
  const collectionErrors: { id: string; message: string }[] = [];
  let chars = 0;
  let left = 0;
  const cost = (id: string, message = ""): number => id.length + message.length + ITEM_CHARS;
  for await (const items of jsonItems(content))
    for (const item of items)
      if (item.key === "results") {
        const test = parsed(item, Test);
        if (test === null) continue;
        const { outcome, seconds } = test;
        const id = test.id.slice(0, MAX_ID_CHARS);
        const message = test.message?.slice(0, MAX_MESSAGE_CHARS);
        // A quarter of the room is for what failed alone.
        const room = outcome === "failed" || outcome === "error" ? 1 : 0.75;
        if (tests.length >= bounds.tests * room || chars >= bounds.chars * room) {
          left++;
          continue;
        }
        chars += cost(id, message);
        tests.push({ id, outcome, seconds, ...(message === undefined ? {} : { message }) });
      } else if (
        item.key === "collectionErrors" &&
        collectionErrors.length < MAX_COLLECTION_ERRORS
      ) {
        const error = parsed(item, CollectionError);
        if (error === null) continue;
        const id = error.id.slice(0, MAX_ID_CHARS);
        const message = error.message.slice(0, MAX_MESSAGE_CHARS);
        chars += cost(id, message);
        collectionErrors.push({ id, message });
      }
  return { tests, left, collectionErrors, chars };
}

function parsed<Value>(item: JsonItem, schema: z.ZodType<Value>): Value | null {
  try {
    return schema.safeParse(JSON.parse(item.text)).data ?? null;
  } catch {
    return null;
  }
}
