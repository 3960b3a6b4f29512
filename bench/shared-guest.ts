import { z } from "zod";

import { FarmUnderTest } from "../src/machine/contract/farm-under-test.ts";
import { bar, median, printBars, type Bar } from "./bars.ts";

/**
 * What running several interpreters in one guest would save, and what it would cost in isolation (docs/capacity.md): the same work
 * on four interpreters, in a fresh guest each and in one guest, by turns. As root, with the host's newest image.
 *
 *     setup/with-node.sh bench/shared-guest.ts [--rounds N] [--json]
 */
const at = process.argv.indexOf("--rounds");
const ROUNDS = at < 0 ? 7 : Number(process.argv[at + 1]);
const INTERPRETERS = 4;

const Took = z.object({ seconds: z.number(), startSeconds: z.number() });
const Leaked = z.object({ found: z.string() });
const bars: Bar[] = [];

for (const kind of ["gvisor", "container"] as const) {
  await using farm = await FarmUnderTest.open(kind, {
    CREAMERY_CLI_ENTRY: "bench/shared-guest-work.ts",
  });
  // The first of all reads the image from disk.
  await farm.ask("fresh");
  const fresh: z.infer<typeof Took>[] = [];
  const shared: z.infer<typeof Took>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    fresh.push(Took.parse(await farm.ask("fresh")));
    shared.push(Took.parse(await farm.ask("shared")));
  }
  const [apart, together] = [fresh, shared].map((runs) => median(runs.map((run) => run.seconds)));
  const starts = median(fresh.map((run) => run.startSeconds));
  const saved = ((apart ?? 0) - (together ?? 0)) / INTERPRETERS;
  bars.push(
    bar(`${kind}: ${INTERPRETERS} interpreters, a fresh guest each`, apart ?? 0, "s"),
    bar(`${kind}: all in one guest`, together ?? 0, "s"),
    bar(`${kind}: saved of each attempt`, saved * 1000, "ms"),
    bar(`${kind}: start of a fresh guest`, (starts / INTERPRETERS) * 1000, "ms"),
  );
  const { found } = Leaked.parse(await farm.ask("leak"));
  bars.push({
    what: `${kind}: what a second job finds of a first`,
    value: found,
    unit: "",
    bar: "",
    holds: null,
  });
}
printBars(bars, process.argv);
