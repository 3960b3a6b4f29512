import { buffer } from "node:stream/consumers";

import { CreameryError } from "../../base/errors.ts";
import { attemptPage } from "../../pages/attempt/attempt-page.ts";
import { renderJunit } from "../../pages/attempt/junit.ts";
import { KeptReports } from "../../pages/attempt/kept-reports.ts";
import { readAttempt, testsOf, type AttemptSources } from "../../pages/attempt/read-attempt.ts";
import { renderSarif } from "../../pages/attempt/sarif.ts";
import type { Download } from "../../pages/shell/place.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";
import { VERSION } from "../version.ts";
import type { PageWriter } from "./page-writer.ts";
import { WAIT_MS, writeLogPages } from "./write-log-pages.ts";
import type { ReportSources } from "./write-report.ts";

export interface WriteAttemptOptions {
  /** Is told what could not be read, a line each. */
  readonly tell: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Writes an attempt's pages, and its files beside them: first what its page leads to. */
export class AttemptWriter {
  readonly #writer: PageWriter;
  readonly #sources: ReportSources;
  readonly #reading: AttemptSources;
  readonly #options: WriteAttemptOptions;

  constructor(writer: PageWriter, sources: ReportSources, options: WriteAttemptOptions) {
    this.#writer = writer;
    this.#sources = sources;
    this.#options = options;
    const { database, bucket, logs } = sources;
    this.#reading = { database, bucket, logs, logMs: WAIT_MS, reports: new KeptReports(bucket) };
  }

  /** @throws CreameryError `store`, and what the sink throws. */
  async write(stored: StoredAttempt): Promise<void> {
    const { id } = stored.attempt;
    const { logs, bucket } = this.#sources;
    const { signal } = this.#options;
    await this.#unlessDamaged(id, "log", async () => {
      // All of it was read, and is sound, before the file is begun.
      await writeLogPages(this.#writer, logs, stored, signal);
      const blob = await bucket.open(attemptKey(id, "log.txt"));
      if (blob !== null)
        await this.#writer.file({ kind: "download", id, what: "log.txt" }, blob.content(signal));
    });
    await this.#unlessDamaged(id, "lock", async () => {
      for (const what of ["pylock.toml", "pylock.build.toml"] as const) {
        const blob = await bucket.open(attemptKey(id, what));
        if (blob !== null)
          await this.#writer.file(
            { kind: "download", id, what },
            await buffer(blob.content(signal)),
          );
      }
    });
    await this.#made(stored);
    const context = this.#writer.contextOf({ kind: "attempt", id });
    const asked = { text: "", outcome: null, page: 1 };
    const read = await readAttempt(this.#reading, id, asked, context);
    if (read !== null)
      await this.#writer.page({ kind: "attempt", id }, (own) => attemptPage(read, own));
  }

  /** What is made of the result. */
  async #made(stored: StoredAttempt): Promise<void> {
    const { attempt } = stored;
    const results = await testsOf(this.#reading, stored);
    const file = (what: Download, text: string) =>
      this.#writer.file({ kind: "download", id: attempt.id, what }, text);
    await file("result.json", `${JSON.stringify(this.#resultOf(stored))}\n`);
    await file("junit.xml", renderJunit([{ attempt, results }], null, []));
    await file("result.sarif", renderSarif(attempt, results, { version: VERSION }));
  }

  /** Where things lie on the farm is nobody's business: they are named as they lie beside it, or not at all. */
  #resultOf({ attempt, visibility, reason, of, startedAt }: StoredAttempt) {
    const { id, evidence } = attempt;
    const beside = (what: Download) =>
      this.#writer.contents.has({ kind: "download", id, what }) ? what : null;
    const { buildLock: _, ...others } = evidence;
    const buildLock = beside("pylock.build.toml");
    return {
      attempt: {
        ...attempt,
        log: beside("log.txt"),
        report: null,
        evidence: {
          ...others,
          lock: beside("pylock.toml"),
          ...(buildLock === null ? {} : { buildLock }),
        },
      },
      visibility,
      reason,
      of,
      startedAt,
    };
  }

  /** One thing that the bucket can't give is no reason to write nothing. */
  async #unlessDamaged(id: string, what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      if (!(thrown instanceof CreameryError) || thrown.code !== "bucket") throw thrown;
      this.#options.tell(`the ${what} of attempt ${id} is left out: ${thrown.line}`);
    }
  }
}
