import type { Context } from "hono";

import type { Bucket } from "../../bucket/bucket.ts";
import type { Audit } from "../../model/audit.ts";
import type { ConfigurationChoice } from "../../model/configuration-name.ts";
import type { Principals, Visibility } from "../../model/principals.ts";
import type { Hosts } from "../../queue/hosts.ts";
import type { Queue } from "../../queue/queue.ts";
import type { Database } from "../../store/database.ts";
import type { Authenticated } from "../authenticate.ts";
import type { LiveEvents } from "../live-events.ts";
import type { EnqueueTarget } from "./enqueue-target.ts";
import type { StatusSource } from "./schemas/status.ts";

/** What the API answers from. */
export interface ApiDeps {
  readonly database: Database;
  readonly queue: Queue;
  readonly hosts: Hosts;
  readonly bucket: Pick<Bucket, "open" | "list">;
  readonly principals: Principals;
  readonly audit: Audit;
  readonly live: LiveEvents;
  readonly status: StatusSource;
  /** Where this host's images lie. */
  readonly imagesDir: string;
  /** What can be asked for: the configurations of the image that jobs run on, and those with priority. */
  configurations(): Promise<ConfigurationChoice>;
  /** Who may see what is not in the store yet. */
  visibilityOf(target: EnqueueTarget): Visibility;
  /** The configured project of a repository, normalised; null where none is configured. */
  projectOf(repositoryUrl: string): string | null;
  /** The nightly export of all public results (../../store/export-results.ts); it need not be there. */
  readonly exportFile: string;
  nowMs(): number;
  /** As `newAttemptId`. */
  newId(): string;
  /** Is told of what the farm itself failed in, for its log: who asked hears no details. */
  failed(thrown: unknown): void;
  /** Of the program: `0.1.0`. */
  readonly version: string;
}

/** What stands in the context of each request: `authenticate` has run before. */
export type ApiEnv = Authenticated;
export type ApiContext = Context<ApiEnv>;

/** As much of a request as an answer depends on, of the API or of a page. */
export interface AskedContext {
  readonly req: ApiContext["req"];
  get(name: "principal"): Authenticated["Variables"]["principal"];
}
