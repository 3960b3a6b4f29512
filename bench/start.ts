import { z } from "zod";

import { FarmUnderTest } from "../src/machine/contract/farm-under-test.ts";
import { bar, median, printBars, type Bar } from "./bars.ts";

/**
 * A fresh guest to its agent's hello: cold (nothing of it exists when it is asked for), n = 20, and from the pool that one command
 * keeps, n = 10. Through a real launcher, as root, with the host's newest image.
 */
const COLD = 20;
const POOLED = 10;
const BARS = {
  gvisor: { cold: 400, pooled: 100 },
  container: { cold: 150, pooled: undefined },
} as const;

const answered = z.object({ startMs: z.array(z.number()) });
const bars: Bar[] = [];

for (const kind of ["gvisor", "container"] as const) {
  await using farm = await FarmUnderTest.open(kind);
  // The first of all reads the image from disk: that is the host's page cache, not the machine.
  await farm.ask("bench", "cold", "1");
  const cold = answered.parse(await farm.ask("bench", "cold", String(COLD))).startMs;
  bars.push(
    bar(`${kind}: cold start to hello, median of ${COLD}`, median(cold), "ms", {
      op: "<",
      than: BARS[kind].cold,
    }),
  );
  bars.push(bar(`${kind}: cold start to hello, slowest of ${COLD}`, Math.max(...cold), "ms"));
  const pooled = answered.parse(await farm.ask("bench", "pool", String(POOLED))).startMs;
  const than = BARS[kind].pooled;
  bars.push(
    bar(
      `${kind}: from the pool, median of ${POOLED}`,
      median(pooled),
      "ms",
      than === undefined ? undefined : { op: "<", than },
    ),
  );
}
printBars(bars, process.argv);
