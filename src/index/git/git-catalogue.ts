import type { CreameryError } from "../../base/errors.ts";

/** A repository that is served, or why it is not. */
export type Offered =
  | {
      readonly kind: "offered";
      /** Its address upstream. */
      readonly url: string;
      /** Of what is served: a bare repository. */
      readonly path: string;
      /** Why it is older than it should be. */
      readonly stale: CreameryError | null;
    }
  | Refused;

export interface Refused {
  readonly kind: "refused";
  readonly status: number;
  readonly why: string;
}

/** Which repositories an endpoint serves: all that can be mirrored, or exactly what an earlier attempt was given. */
export interface GitCatalogue extends AsyncDisposable {
  /** @param url normalised. @throws CreameryError where the farm itself is at fault. */
  repository(url: string, signal: AbortSignal): Promise<Offered>;
  /**
   * Sees that what is asked for is there, and stays.
   * @returns why one of it can't be had; null when all can. @throws CreameryError where the farm itself is at fault.
   */
  bring(url: string, hashes: readonly string[], signal: AbortSignal): Promise<Refused | null>;
}
