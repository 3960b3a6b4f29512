import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { ROOMS, wallsBroken } from "./rooms.ts";

const repository = resolve(import.meta.dirname, "../..");

let planted = "";
beforeEach(() => {
  planted = mkdtempSync(join(tmpdir(), "walls-"));
  copyFileSync(join(repository, ".oxlintrc.json"), join(planted, ".oxlintrc.json"));
});
afterEach(() => rmSync(planted, { recursive: true }));

function plant(path: string, text: string): void {
  mkdirSync(dirname(join(planted, path)), { recursive: true });
  writeFileSync(join(planted, path), text);
}

/** What the repository's own lint configuration says of the planted tree; type-aware rules need a tsconfig and are not asked. */
function lint(): { status: number | null; output: string } {
  const configuration: unknown = JSON.parse(readFileSync(join(planted, ".oxlintrc.json"), "utf8"));
  writeFileSync(
    join(planted, ".oxlintrc.json"),
    JSON.stringify({ ...Object(configuration), options: { typeAware: false } }),
  );
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(repository, "node_modules/oxlint/bin/oxlint"), "--format", "unix", "src"],
    { cwd: planted, encoding: "utf8" },
  );
  return { status, output: stdout };
}

test("every room but the last has its wall in the lint configuration", () => {
  const configuration = readFileSync(join(repository, ".oxlintrc.json"), "utf8");
  for (const room of ROOMS.slice(0, -1)) expect(configuration).toContain(`"src/${room}/**/*.ts"`);
});

test("an import from a room below is caught, one from above is not", () => {
  plant("src/base/clock.ts", "export const clock = 1;\n");
  plant(
    "src/store/rows.ts",
    'import { clock } from "../base/clock.ts";\n\nexport const rows = clock;\n',
  );
  expect(lint()).toMatchObject({ status: 0 });
  plant(
    "src/base/bad.ts",
    'import { rows } from "../store/rows.ts";\n\nexport const bad = rows;\n',
  );
  plant(
    "src/machine/oci/deep.ts",
    'import { work } from "../../worker/work.ts";\n\nexport const deep = work;\n',
  );
  const { status, output } = lint();
  expect(status).toBe(1);
  expect(output).toMatch(/^src\/base\/bad\.ts:1:.*no-restricted-imports/mu);
  expect(output).toMatch(/^src\/machine\/oci\/deep\.ts:1:.*no-restricted-imports/mu);
  expect(output).toContain("2 problems");
});

test("a cycle of imports is caught", () => {
  plant(
    "src/base/one.ts",
    'import { two } from "./two.ts";\n\nexport const one = (): unknown => two;\n',
  );
  plant(
    "src/base/two.ts",
    'import { one } from "./one.ts";\n\nexport const two = (): unknown => one;\n',
  );
  const { status, output } = lint();
  expect(status).toBe(1);
  expect(output).toContain("no-cycle");
});

test("`any`, and types asserted instead of parsed, are caught", () => {
  plant("src/base/loose.ts", "export const loose = (given: any): string => given as string;\n");
  const { output } = lint();
  expect(output).toContain("no-explicit-any");
  expect(output).toContain("consistent-type-assertions");
});

test("lazy imports keep to the walls too, which lint does not see", () => {
  expect(wallsBroken("base", 'await import("../store/rows.ts")')).toEqual(["store"]);
  expect(wallsBroken("cli", 'import { a } from "../store/rows.ts"')).toEqual([]);
  const broken = ROOMS.flatMap((room) =>
    globSync(`src/${room}/**/*.ts`, { cwd: repository }).flatMap((path) =>
      wallsBroken(room, readFileSync(join(repository, path), "utf8")).map(
        (other) => `${path}: ${other}`,
      ),
    ),
  );
  expect(broken).toEqual([]);
});
