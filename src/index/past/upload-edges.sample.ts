/** The instant that is asked for. */
export const EDGE = "2025-06-01T00:00:00Z";

/** What is told of a file's upload, when it was, and whether it is there at `EDGE`: as installers have it that are asked for it. */
export const UPLOADED: readonly (readonly [told: string, uploaded: string, isThere: boolean])[] = [
  ["before the instant", "2025-05-31T23:59:59Z", true],
  ["a microsecond before", "2025-05-31T23:59:59.999999Z", true],
  ["at the instant itself: prior to, not up to", "2025-06-01T00:00:00Z", false],
  ["at the instant, as the index writes it", "2025-06-01T00:00:00.000000Z", false],
  ["within its first millisecond", "2025-06-01T00:00:00.000400Z", false],
  ["after it", "2025-06-01T00:00:01Z", false],
  ["before it, said in a zone that reads later", "2025-06-01T01:59:59+02:00", true],
  ["after it, said in a zone that reads earlier", "2025-05-31T23:00:00-02:00", false],
  ["before it, without a zone", "2025-05-31T23:59:59.999999", true],
  ["years before", "2005-03-20T00:00:00.000000Z", true],
];
