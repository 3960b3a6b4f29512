import { constants } from "node:fs";
import { open } from "node:fs/promises";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import { parseHookSecrets, type HookSecrets } from "../../model/config/webhooks-table.ts";

const MAX_BYTES = 1024 * 1024;
const OTHERS = 0o077;

/**
 * Reads the file that `webhooks.secrets_file` names; one that others than its owner may read or write is refused.
 * @throws CreameryError `configuration-file`, `unreadable-path`; neither holds anything of the file.
 */
export async function readHookSecrets(path: string): Promise<HookSecrets> {
  // Without a writer, opening a pipe would wait for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: unknown) => {
      throw new CreameryError("unreadable-path", `can't be read: ${reasonOf(cause)}`, {
        input: path,
        nextStep: "see webhooks.secrets_file of creamery.toml",
        cause,
      });
    },
  );
  try {
    const { mode, size, isFile } = await file.stat().then((stats) => ({
      mode: stats.mode,
      size: stats.size,
      isFile: stats.isFile(),
    }));
    if (!isFile || size > MAX_BYTES)
      throw new CreameryError(
        "configuration-file",
        isFile ? `is longer than ${MAX_BYTES} bytes` : "is no file",
        { input: path, nextStep: "see docs/webhooks.md" },
      );
    if ((mode & OTHERS) !== 0)
      throw new CreameryError("configuration-file", "others than its owner can reach the secrets", {
        input: path,
        nextStep: `chmod 600 ${path}, and change the secrets if others may have read them`,
      });
    return parseHookSecrets(await file.readFile("utf8"), path);
  } finally {
    await file.close();
  }
}
