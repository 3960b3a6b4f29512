import type { Database } from "../../store/database.ts";

/** The same database, whose transactions are told of when they end: seconds, and whether they were kept. */
export function measuredDatabase(
  database: Database,
  onWrite: (seconds: number, isKept: boolean) => void,
): Database {
  return {
    kind: database.kind,
    label: database.label,
    read: (work) => database.read(work),
    write: async (work) => {
      const began = performance.now();
      let isKept = false;
      try {
        const answer = await database.write(work);
        isKept = true;
        return answer;
      } finally {
        onWrite((performance.now() - began) / 1000, isKept);
      }
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}
