import type { CreameryError } from "../../base/errors.ts";
import type { Catalogue } from "../catalogue.ts";
import type { CrateListing, CrateVersion } from "../crates/crates.ts";
import type { StoredFile } from "../files/file-store.ts";
import type { Mirror } from "../mirror.ts";
import type { IndexFile, ProjectPage } from "../page/project-page.ts";
import type { PagesAt } from "../page/rendered-pages.ts";
import type { Exchange } from "./exchange.ts";

/** Who is told what is asked and answered, and may refuse it. */
export interface Witness {
  /** False, after the answer was sent, when this name would be one too many. */
  nameAllowed(exchange: Exchange, name: string): boolean;
  refuse(exchange: Exchange, status: number, why: string): void;
  missing(name: string): void;
  /** @param page as it is offered. */
  page(page: ProjectPage): void;
  file(page: ProjectPage, file: IndexFile, stored: StoredFile): void;
  /** Its metadata is sent. */
  looked(page: ProjectPage, file: IndexFile, metadata: Buffer): void;
  crate(version: CrateVersion, stored: StoredFile): void;
  crateIndex(name: string, listing: CrateListing): void;
  /** A wheel that has come holds other metadata than was sent for it. By default the answer fails. */
  metadataDiffers?(fault: CreameryError): void;
  /** Before bytes are sent. @throws CreameryError when they are too many. */
  count(bytes: number): void;
  /** A page was made for an answer without a body. */
  rendered(bytes: number): void;
}

export interface AnswersSetup {
  readonly catalogue: Catalogue;
  readonly pages: PagesAt;
  readonly witness: Witness;
  /** Where what stands before us finds a kept file and sends it in our stead. */
  readonly handedOver?: ((stored: StoredFile) => string) | undefined;
  /** For who may have what is listed no more: another host of the farm, whose attempts are of the past. */
  readonly gone?: Mirror["goneFile"] | undefined;
}
