const GOOD = "0".repeat(64);

/**
 * What indexes have been seen to say of a file, or might, besides its name and address, and what is told to clients of it: of `raw` these keys;
 * null where there is no such file for us.
 */
export const ODD: readonly (readonly [
  said: Readonly<Record<string, unknown>>,
  told: Readonly<Record<string, unknown>> | null,
])[] = [
  [{ size: null, yanked: null, "requires-python": null, "core-metadata": null }, {}],
  [{ size: "12" }, {}],
  [{ size: 12.5 }, {}],
  [{ size: 1e18 }, {}],
  [{ "upload-time": null }, {}],
  [{ "upload-time": "" }, {}],
  [{ "upload-time": 1_700_000_000 }, {}],
  [{ "upload-time": "0000-00-00T00:00:00Z" }, {}],
  [{ "upload-time": "2025-06-01T00:00:60Z" }, {}],
  [{ "upload-time": "9999-12-31T23:59:59.999999Z" }, {}],
  [{ "upload-time": "2025-06-01T00:00:00" }, { "upload-time": "2025-06-01T00:00:00.000Z" }],
  [
    { "upload-time": "2025-06-01 02:00:00.123456+02" },
    { "upload-time": "2025-06-01T00:00:00.123456Z" },
  ],
  [{ "upload-time": "20250601T000000Z" }, { "upload-time": "2025-06-01T00:00:00.000Z" }],
  [{ hashes: null }, { hashes: {} }],
  [{ hashes: { sha256: null } }, { hashes: {} }],
  [{ hashes: { sha256: GOOD, md5: null } }, { hashes: { sha256: GOOD } }],
  [{ hashes: { sha256: GOOD, blake2b: "x" } }, { hashes: { sha256: GOOD } }],
  [{ hashes: { sha256: "" } }, { hashes: {} }],
  [{ hashes: { sha256: GOOD, md5: "x" } }, { hashes: { sha256: GOOD } }],
  [
    { hashes: { sha256: GOOD, blake3: "as it is" } },
    { hashes: { sha256: GOOD, blake3: "as it is" } },
  ],
  [{ hashes: { md5: "x" } }, null],
  [{ hashes: { sha256: "x" } }, null],
  [{ hashes: { sha256: 1 } }, null],
  [{ "core-metadata": { sha256: 1 } }, {}],
  [{ "core-metadata": "true" }, {}],
  [{ "dist-info-metadata": "true" }, {}],
  [{ "dist-info-metadata": { sha256: GOOD } }, {}],
  [{ "requires-python": 3 }, null],
  [{ yanked: 1 }, null],
  [
    { provenance: null, "gpg-sig": null, _own: [1] },
    { provenance: null, "gpg-sig": null, _own: [1] },
  ],
];
