/** A table, as a database's own catalogue tells of it. */
export interface TableShape {
  readonly name: string;
  readonly columns: readonly ColumnShape[];
  /** Columns of its primary key, in order; rows come in their order. */
  readonly key: readonly string[];
  /** Tables that its rows refer to. */
  readonly refersTo: readonly string[];
  /** The last number that was given to a row of it; null where rows are not numbered. */
  readonly lastNumber: bigint | null;
}

export interface ColumnShape {
  readonly name: string;
  /** As the catalogue calls its type, in small letters. */
  readonly type: string;
}

/** In an order in which what a row refers to comes before it; else by name. */
export function inOrderOfReference(tables: readonly TableShape[]): readonly TableShape[] {
  const left = new Map(
    tables.toSorted((one, other) => (one.name < other.name ? -1 : 1)).map((one) => [one.name, one]),
  );
  const ordered: TableShape[] = [];
  while (left.size > 0) {
    const next = [...left.values()].find((one) =>
      one.refersTo.every((name) => name === one.name || !left.has(name)),
    );
    // Tables that refer to each other: any order is as good.
    const taken = next ?? left.values().next().value;
    if (taken === undefined) break;
    ordered.push(taken);
    left.delete(taken.name);
  }
  return ordered;
}

/** A name in SQL, whatever is in it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
