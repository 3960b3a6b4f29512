import { printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { directoriesFrom } from "../../launcher/directories.ts";
import type { FarmConfig } from "../../model/config/farm-config.ts";
import { lineOf } from "../../model/config/read-table.ts";

const KEYS = ["cache", "data", "run"] as const;

/**
 * `./creamery` needs the directories before there is a TOML parser, and understands of `[directories]` only its simplest
 * form (setup/environment.sh). What it did not understand, or took for more than it is, must not be passed over.
 * @param env `CREAMERY_DIRS_GIVEN` names those that a person's variables decided, whatever the file says.
 * @throws CreameryError `configuration-file` when the command runs with another directory than the file means.
 */
export function assertDirectories(
  { directories }: Pick<FarmConfig, "directories">,
  text: string,
  file: string,
  env: NodeJS.ProcessEnv,
): void {
  const given = env["CREAMERY_DIRS_GIVEN"]?.split(" ");
  const [used, usual] = [directoriesFrom(env), directoriesFrom({})];
  for (const key of KEYS) {
    const variable = `CREAMERY_${key.toUpperCase()}_DIR`;
    const wanted = directories[key] ?? usual[key];
    const byPerson = given === undefined ? env[variable] !== undefined : given.includes(key);
    if (byPerson || used[key] === wanted) continue;
    const line = lineOf(text, ["directories", key]);
    throw new CreameryError(
      "configuration-file",
      printableLine(
        `line ${line}: directories.${key}: means ${wanted}, yet ./creamery read ${used[key]}`,
      ),
      {
        input: file,
        nextStep: printableLine(
          `write ${key} = "${wanted}", alone on a line below [directories], or set ${variable}`,
        ),
      },
    );
  }
}
