import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { z } from "zod";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import { launcher } from "../../launcher/client.ts";
import { directoriesFrom } from "../../launcher/directories.ts";
import { readToken } from "../../model/token.ts";
import { ApiClient } from "../../web/api-client.ts";
import { apiAddress, type FarmAddress } from "../../worker/farm-address.ts";
import { askerCwd } from "./asker-cwd.ts";

const NAME = "farm.json";
const MAX_TOKEN_BYTES = 4096;

const FarmFile = z.strictObject({
  schema: z.literal(1),
  /** `http://127.0.0.1:8080/` */
  url: z.string(),
  /** Of a file that holds an operator's token, and that the farm's user alone can read. */
  tokenFile: z.string(),
});

/** How commands find the farm that runs on this host: `up` writes it when it serves, and removes it when it ends. */
export async function writeFarmFile(
  data: string,
  farm: { readonly url: string; readonly tokenFile: string },
): Promise<void> {
  const path = join(data, NAME);
  // One name: what a kill leaves of it is written over by the next start.
  const half = `${path}.new`;
  await writeFile(half, JSON.stringify({ schema: 1, ...farm }), { mode: 0o600 });
  await rename(half, path);
}

export async function removeFarmFile(data: string): Promise<void> {
  await rm(join(data, NAME), { force: true });
}

/** What every command that speaks to a farm takes. */
export const FARM_OPTIONS = { farm: z.string().optional(), tokenFile: z.string().optional() };

export interface FarmPlace {
  readonly farm?: string | undefined;
  readonly tokenFile?: string | undefined;
}

/** The farm that is named, or the one that runs on this host. @throws CreameryError `no-farm`, `usage`, `configuration-file`. */
export async function openRunningFarm(place: FarmPlace, signal: AbortSignal): Promise<ApiClient> {
  return new ApiClient(await addressOf(place), signal);
}

async function addressOf({ farm, tokenFile }: FarmPlace): Promise<FarmAddress> {
  if (farm !== undefined && tokenFile !== undefined) {
    const path = resolve(askerCwd(), tokenFile);
    const asked = { kind: "read-user-text", path, maxBytes: MAX_TOKEN_BYTES } as const;
    const { text } = await launcher().request(asked);
    return {
      api: apiAddress(farm),
      authorization: authorizationOf(text, tokenFile),
      ca: undefined,
    };
  }
  if (farm !== undefined || tokenFile !== undefined)
    throw new CreameryError("usage", "a farm elsewhere is named with a token for it", {
      input: farm === undefined ? "--token-file" : "--farm",
      nextStep: "give both: --farm https://farm.example/ --token-file FILE",
    });
  return readFarmFile(directoriesFrom(process.env).data);
}

/** The farm of this host. @throws CreameryError `no-farm`, `configuration-file`. */
export async function readFarmFile(data: string): Promise<FarmAddress> {
  const path = join(data, NAME);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT")
      throw new CreameryError("no-farm", "no farm runs on this host", {
        input: path,
        nextStep: "start it with ./creamery up, or name another with --farm and --token-file",
      });
    throw unreadable(path, reasonOf(cause), cause);
  }
  const parsed = FarmFile.safeParse(jsonOf(text));
  if (!parsed.success) throw unreadable(path, "is no file of a farm", parsed.error);
  const { url, tokenFile } = parsed.data;
  const token = await readFile(tokenFile, "utf8").catch((cause: unknown) => {
    throw unreadable(tokenFile, reasonOf(cause), cause);
  });
  return { api: apiAddress(url), authorization: authorizationOf(token, tokenFile), ca: undefined };
}

function authorizationOf(text: string, file: string): Secret {
  const token = text.trim();
  // Never shown, not even in part.
  if (readToken(token) === null)
    throw new CreameryError(
      "configuration-file",
      "holds no token, or one that was cut or mistyped",
      {
        input: file,
        nextStep: "write the token into it as the farm gave it, and nothing else",
      },
    );
  return new Secret(`Bearer ${token}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function unreadable(input: string, reason: string, cause: unknown): CreameryError {
  return new CreameryError("configuration-file", `can't be read: ${reason}`, {
    input,
    nextStep: "stop the farm and start it anew with ./creamery up, which writes it",
    cause,
  });
}
