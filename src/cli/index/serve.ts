import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { directoriesFrom } from "../../launcher/directories.ts";
import { indexBounds } from "../../model/config/index-table.ts";
import { parseListen } from "../../model/config/service-table.ts";
import { isLoopback } from "../../web/client-address.ts";
import { collectIndexLoop } from "./collect-index-loop.ts";
import { ownPins } from "./farm-pins.ts";
import { openIndexAlone } from "./open-index-alone.ts";
import { FaultTeller } from "./fault-teller.ts";

const Options = z.object({
  config: z.string().optional(),
  listen: z.string().default("127.0.0.1:8347"),
});

/**
 * `creamery index serve`: the mirror alone, for pip, uv and cargo of whoever reaches it, until a signal ends it.
 * @throws CreameryError `usage`, `host-lacks`, `configuration-file`.
 */
export async function serveIndex(given: unknown, signal: AbortSignal): Promise<number> {
  const options = Options.parse(given ?? {});
  const place = parseListen(options.listen);
  if (place === null)
    throw new CreameryError("usage", "is no address and port", {
      input: `--listen ${options.listen.slice(0, 80)}`,
      nextStep: "write 127.0.0.1:8347, or [::1]:8347",
    });
  await using alone = await openIndexAlone(options.config, signal);
  const faults = new FaultTeller((line) => process.stderr.write(`creamery: ${line}\n`));
  await using served = await alone.index.serve({
    place,
    onFault: (fault) => faults.tell(fault.line),
    xAccel: alone.config.index.x_accel,
  });
  process.stdout.write(`${servingLine(served.url)}\n`);
  await collectIndexLoop(
    {
      directory: alone.directory,
      bounds: indexBounds(alone.config),
      pins: ownPins(alone.config, directoriesFrom(process.env)),
      everyMs: 0,
      tell: (line) => process.stderr.write(`creamery: index: ${line}\n`),
    },
    signal,
  );
  return 0;
}

/** One line: where it is, and how pip and uv are told. */
export function servingLine(url: string): string {
  const index = `${url}/simple/`;
  const { hostname } = new URL(url);
  // pip passes over what it takes for unsafe, and goes on without a word of where else to look.
  const trusted = isLoopback(hostname.replace(/^\[|\]$/gu, ""))
    ? ""
    : ` PIP_TRUSTED_HOST=${hostname}`;
  return `serving ${index} (pip: PIP_INDEX_URL=${index}${trusted}; uv: UV_DEFAULT_INDEX=${index}; Ctrl-C ends it)`;
}
