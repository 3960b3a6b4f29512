import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import type { ApiClient } from "../web/api-client.ts";
import { EVERYTHING } from "../model/watched-name.ts";
import type { WatchedList } from "../web/api/schemas/watched.ts";
import { FARM_OPTIONS, openRunningFarm } from "./farm/running-farm.ts";
import { agoText, renderTable } from "./table.ts";

export type WatchAction = "add" | "list" | "rm";

const Options = z.object({
  ...FARM_OPTIONS,
  json: z.boolean().default(false),
  all: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

/**
 * `creamery watch add|list|rm`: whose releases a farm that runs tests as they come.
 * @returns the exit code. @throws CreameryError `no-farm`, `usage`, `unknown-project`, and whatever the farm tells.
 */
export async function watchCommand(
  action: WatchAction,
  names: readonly string[],
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = Options.parse(given ?? {});
  const wanted = wantedOf(action, names, options);
  using farm = await openRunningFarm(options, signal);
  const list = await changed(farm, action, wanted);
  process.stdout.write(
    options.json ? `${JSON.stringify({ schema: 1, ...list })}\n` : saidOf(list, Date.now()),
  );
  return 0;
}

/** @throws CreameryError `usage`. */
function wantedOf(
  action: WatchAction,
  names: readonly string[],
  { all }: Options,
): readonly string[] {
  if (action === "list") return [];
  if (all && names.length > 0)
    throw new CreameryError("usage", "names one project and all of them", {
      input: "--all",
      nextStep: "give names, or --all",
    });
  if (all) return [EVERYTHING];
  if (names.length > 0) return names;
  throw new CreameryError("usage", "no project is named", {
    nextStep: `./creamery watch ${action} NAME…, or --all`,
  });
}

async function changed(
  farm: ApiClient,
  action: WatchAction,
  names: readonly string[],
): Promise<WatchedList> {
  switch (action) {
    case "list":
      return await farm.watched();
    case "add":
      return await farm.watch(names);
    case "rm": {
      let list = await farm.watched();
      for (const name of names) list = await farm.unwatch(name);
      return list;
    }
  }
}

function saidOf({ watched }: WatchedList, nowMs: number): string {
  if (watched.length === 0) return "nothing is watched: ./creamery watch add NAME…\n";
  const rows = watched.map(({ name, since }) => [
    name === EVERYTHING ? "everything" : name,
    agoText(since, nowMs),
  ]);
  return renderTable(["watched", "since"], rows);
}
