import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";

import { CreameryError, reasonOf } from "../base/errors.ts";
import { Secret } from "../base/secret.ts";
import { splitUrl } from "../index/upstream/secret.ts";

/** Where a worker's farm is, as its configuration says it. */
export interface FarmSettings {
  /** `https://farm.example/`, without the API's own path. */
  readonly url: string;
  /** A file that holds this worker's token, and nothing else. */
  readonly tokenFile: string;
  /** A PEM file of authorities to trust besides this host's own. */
  readonly caFile?: string;
}

/** The same, read. */
export interface FarmAddress {
  /** `https://farm.example/api/v1/` */
  readonly api: string;
  /** The header's value, `Bearer ...`. */
  readonly authorization: Secret;
  /** PEM text. */
  readonly ca: string | undefined;
}

const API = "api/v1/";
const TOKEN = /^[A-Za-z0-9._~+/-]{16,512}=*$/u;

/**
 * Reads what a worker needs to reach its farm.
 * @throws CreameryError `configuration-file`: an address that is none or would show the token to whoever listens, a token that
 * can't be read, is none, or is there for everybody to read.
 */
export async function readFarmAddress(settings: FarmSettings): Promise<FarmAddress> {
  const api = apiAddress(settings.url);
  const token = (await read(settings.tokenFile, "the worker's token")).trim();
  const { mode } = await stat(settings.tokenFile);
  if ((mode & 0o007) !== 0)
    throw new CreameryError("configuration-file", "holds a token, and everybody may read it", {
      input: settings.tokenFile,
      nextStep: `chmod o= ${settings.tokenFile}, and ask the farm for another token`,
    });
  // Never shown, not even in part.
  if (!TOKEN.test(token))
    throw new CreameryError("configuration-file", "holds no token of a worker", {
      input: settings.tokenFile,
      nextStep: "write the token into it as the farm gave it, and nothing else",
    });
  return {
    api,
    authorization: new Secret(`Bearer ${token}`),
    ca: settings.caFile === undefined ? undefined : await read(settings.caFile, "certificates"),
  };
}

/** The API's own address. @throws CreameryError `configuration-file`. */
export function apiAddress(text: string): string {
  let split;
  try {
    split = splitUrl(text);
  } catch (cause) {
    // Not `text` itself: it may hold a password.
    throw refused("is no URL", "write it as https://farm.example/", cause);
  }
  const url = new URL(split.url);
  if (split.authorization !== null)
    throw refused("holds a user or a password", "name the file that holds the worker's token");
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname)))
    throw refused(
      `is reached by ${url.protocol.slice(0, -1)}, which shows the worker's token to whoever listens`,
      "use https; http is for a farm on this very host",
      undefined,
      url.host,
    );
  url.search = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return new URL(API, url).href;
}

function refused(reason: string, nextStep: string, cause?: unknown, input?: string): CreameryError {
  return new CreameryError("configuration-file", `the farm's address ${reason}`, {
    nextStep,
    ...(input === undefined ? {} : { input }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Whether what is sent to this host never leaves this machine. */
export function isLoopback(hostname: string): boolean {
  if (hostname === "localhost" || hostname === "[::1]") return true;
  return isIP(hostname) === 4 && hostname.startsWith("127.");
}

async function read(path: string, what: string): Promise<string> {
  return await readFile(path, "utf8").catch((cause: unknown) => {
    throw new CreameryError("configuration-file", `${what} can't be read: ${reasonOf(cause)}`, {
      input: path,
      nextStep: "let the farm's user, and nobody else, read it",
      cause,
    });
  });
}
