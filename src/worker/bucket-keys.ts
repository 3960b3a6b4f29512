/** Where in the bucket a file that is a person's own is kept. */
export const sourceKey = (sha256: string): string => `sources/${sha256}`;
export const attemptKey = (id: string, name: string): string => `attempts/${id}/${name}`;
