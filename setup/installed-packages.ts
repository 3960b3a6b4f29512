/**
 * Says whether the clone's node_modules is what package-lock.json asks for, by comparing it with the
 * record that npm leaves of what it installed. Prints `dev` or `runtime`; exits 1 when neither.
 * Imports nothing of ours: it runs before the npm packages are there.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  readonly integrity: string;
  readonly dev: boolean;
  readonly optional: boolean;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The packages of a lock file by their path; the root package, which has no path, is left out. */
function readLock(path: string): Map<string, LockedPackage> {
  const lock: unknown = JSON.parse(readFileSync(path, "utf8"));
  const packages = isRecord(lock) && isRecord(lock["packages"]) ? lock["packages"] : {};
  const found = new Map<string, LockedPackage>();
  for (const [place, entry] of Object.entries(packages)) {
    if (place === "" || !isRecord(entry)) continue;
    found.set(place, {
      integrity: String(entry["integrity"]),
      dev: entry["dev"] === true || entry["devOptional"] === true,
      optional: entry["optional"] === true || entry["devOptional"] === true,
    });
  }
  return found;
}

const clone = process.argv[2] ?? ".";
const wanted = readLock(join(clone, "package-lock.json"));
const installed = readLock(join(clone, "node_modules", ".package-lock.json"));

// Optional packages are those of other platforms as a rule: they may be absent, never different.
const fits = ([place, locked]: [string, LockedPackage]): boolean => {
  const present = installed.get(place);
  return present === undefined ? locked.optional : present.integrity === locked.integrity;
};
const everything = [...wanted];
if (everything.every(fits)) console.log("dev");
else if (everything.filter(([, locked]) => !locked.dev).every(fits)) console.log("runtime");
else process.exitCode = 1;
