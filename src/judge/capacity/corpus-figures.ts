import type { MeasuredAttempt } from "./measured.ts";

export const CORPUS_FIGURES: readonly MeasuredAttempt[] = [];
