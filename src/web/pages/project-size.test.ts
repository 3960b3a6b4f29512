import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { expect, test } from "vitest";

import { openDatabase } from "../../store/open-database.ts";
import { sampleSite } from "./site.sample.ts";
import { recordDrawn } from "../../pages/project/project.sample.ts";

const CONFIGURATIONS = [
  ...Array.from({ length: 32 }, (_, minor) => `cpython-3.${minor}`),
  ...Array.from({ length: 8 }, (_, minor) => `pypy-3.${minor + 5}`),
];

test("the page of 100 releases on 40 configurations is under 100 kB packed, each cell a link to its attempt", async () => {
  const directory = mkdtempSync(join(tmpdir(), "creamery-matrix-"));
  try {
    const database = await openDatabase(join(directory, "store.sqlite"));
    await using site = await sampleSite({ database });
    // Of every kind, with no order in it that a packer could profit from.
    let seed = 1;
    const letter = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return "pppppppppppffcks?"[seed % 17] ?? "p";
    };
    const ids = await recordDrawn(database, {
      project: "large",
      configurations: CONFIGURATIONS,
      releases: Array.from({ length: 101 }, (_, release) => [
        `${Math.floor(release / 10)}.${release % 10}.${release % 7}`,
        CONFIGURATIONS.map(letter).join(""),
      ]),
      startMs: site.farm.nowMs - 200 * 86_400_000,
    });
    const text = await site.text("/p/large");
    const shown = new Set(
      [...text.matchAll(/href="\/a\/([^"]+)" aria-label/gu)].map(([, id]) => id),
    );
    expect(shown.size).toBe(4000);
    // The oldest release is on the next page.
    expect([...ids.values()].filter((id) => !shown.has(id)).length).toBe(40);
    expect(gzipSync(text).length).toBeLessThan(100_000);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
