import { z } from "zod";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { ApiClient } from "../web/api-client.ts";
import type { Host } from "../web/api/schemas/queue.ts";
import { FARM_OPTIONS, openRunningFarm } from "./farm/running-farm.ts";

const Options = z.object({
  ...FARM_OPTIONS,
  json: z.boolean().default(false),
  resume: z.boolean().default(false),
  reason: z.string().max(200).optional(),
});

/**
 * `creamery drain [HOST]`: a host ends what it runs and takes nothing more; with `--resume` it does again.
 * @returns the exit code. @throws CreameryError `no-farm`, `usage`, `unknown-host`, and whatever the farm tells.
 */
export async function drainCommand(
  host: string | undefined,
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = Options.parse(given ?? {});
  using farm = await openRunningFarm(options, signal);
  const name = await hostName(farm, host);
  const done = await (options.resume ? farm.resume(name) : farm.drain(name, options.reason));
  process.stdout.write(options.json ? `${JSON.stringify({ schema: 1, ...done })}\n` : saidOf(done));
  return 0;
}

/** The one that is named, or the only one. @throws CreameryError `usage`. */
export async function hostName(
  farm: Pick<ApiClient, "hosts">,
  named: string | undefined,
): Promise<string> {
  if (named !== undefined) return named;
  const names = (await farm.hosts()).map(({ name }) => name);
  const [only] = names;
  if (only !== undefined && names.length === 1) return only;
  throw new CreameryError("usage", "name the host", {
    nextStep:
      only === undefined
        ? "none has taken jobs yet: see ./creamery status"
        : `it is one of ${printableLine(names.join(", "))}`,
  });
}

function saidOf({ name, state, running }: Host): string {
  const host = printableLine(name);
  if (state === "active") return `${host} takes jobs\n`;
  const left = running === 0 ? "nothing runs on it" : `${running} still run on it`;
  return `${host} takes no more jobs; ${left}; ./creamery drain ${host} --resume has it take them again\n`;
}
