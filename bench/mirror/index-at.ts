import { serve, type Serving, type ServingCommand } from "../../test/serving.ts";

/** An index that is measured. */
export interface IndexAt {
  readonly name: string;
  readonly origin: string;
  /** Where a client finds it, to its slash. */
  readonly indexPath: string;
}

export type IndexServer = Serving & IndexAt;

/** @throws Error as `serve`. */
export async function serveIndexAt(
  indexPath: string,
  command: ServingCommand,
): Promise<IndexServer> {
  return { ...(await serve(command)), indexPath };
}
