import type { MissingCellJson } from "./result-json.ts";

/** A cell of the matrix that nothing can run in: the image was made without its interpreter. */
export interface MissingCell extends MissingCellJson {
  /** Named by whoever asked, or a priority configuration; else it is there because of `all`. */
  readonly asked: boolean;
}
