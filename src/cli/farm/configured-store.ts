import { z } from "zod";

import { launcher } from "../../launcher/client.ts";
import { directoriesFrom } from "../../launcher/directories.ts";
import type { Database } from "../../store/database.ts";
import { openDatabase } from "../../store/open-database.ts";
import { askerCwd } from "./asker-cwd.ts";
import { readConfig } from "./read-config.ts";
import { storeLocation } from "./store-location.ts";

const Given = z.object({ config: z.string().optional() });

/**
 * This farm's store, for a command that asks nothing else of the farm.
 * @param given what was typed after the command, `config` among it.
 * @throws CreameryError `configuration-file`, `store`.
 */
export async function openConfiguredStore(given: unknown): Promise<Database> {
  const { config: file } = Given.catch({}).parse(given);
  const { config } = await readConfig(file, askerCwd(), launcher());
  return await openDatabase(await storeLocation(config, directoriesFrom(process.env)));
}
