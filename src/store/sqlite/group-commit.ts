import { sql, type Kysely, type Transaction } from "kysely";

interface Waiting<Tables> {
  readonly work: (within: Transaction<Tables>) => Promise<unknown>;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** So many share a transaction at most: what comes later waits for the next. */
const MOST = 64;

/**
 * Writes of one process that wait for the disk together: whatever is asked while a transaction is being written is done in
 * the next one, each part in a savepoint of its own. An answer is given when its transaction is on the disk, not before.
 */
export class GroupCommit<Tables> {
  readonly #db: Kysely<Tables>;
  #waiting: Waiting<Tables>[] = [];
  #running: Promise<void> | undefined;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async write<Answer>(work: (within: Transaction<Tables>) => Promise<Answer>): Promise<Answer> {
    const done = Promise.withResolvers<unknown>();
    let answer: { readonly value: Answer } | undefined;
    this.#waiting.push({
      work: async (within) => {
        answer = { value: await work(within) };
      },
      resolve: done.resolve,
      reject: done.reject,
    });
    this.#running ??= this.#run();
    await done.promise;
    if (answer === undefined) throw new TypeError("a write ended without its answer");
    return answer.value;
  }

  /** Once nothing is being written any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // What is asked in this very turn is taken along.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#commit(this.#waiting.splice(0, MOST));
    this.#running = undefined;
  }

  async #commit(group: readonly Waiting<Tables>[]): Promise<void> {
    const kept: Waiting<Tables>[] = [];
    const failed: { readonly one: Waiting<Tables>; readonly error: unknown }[] = [];
    try {
      await this.#db.transaction().execute(async (within) => {
        for (const one of group) {
          if (group.length > 1) await sql`savepoint part`.execute(within);
          try {
            await one.work(within);
            kept.push(one);
          } catch (error) {
            if (group.length === 1) throw error;
            failed.push({ one, error });
            await sql`rollback to part`.execute(within);
          }
          if (group.length > 1) await sql`release part`.execute(within);
        }
      });
    } catch (error) {
      // Nothing of it was kept: a full disk, or the one work there was.
      const told = new Set(failed.map(({ one }) => one));
      for (const one of group) if (!told.has(one)) one.reject(error);
      for (const { one, error: own } of failed) one.reject(own);
      return;
    }
    for (const one of kept) one.resolve(undefined);
    for (const { one, error } of failed) one.reject(error);
  }
}
