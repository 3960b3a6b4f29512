import { basename } from "node:path";

import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import { parseWheelFilename } from "../python/distribution-filename.ts";
import { parseRequirement } from "../python/requirements.ts";
import { formatVersion, parseVersion } from "../python/versions.ts";

/** One side of a comparison, by the word that was typed: what the attempts of this side are given. */
export type Side =
  /** Nothing: as every other attempt. */
  | { readonly kind: "none" }
  | { readonly kind: "pins"; readonly pins: readonly Pin[] }
  | {
      readonly kind: "wheel";
      /** As typed. */
      readonly path: string;
      readonly project: string;
      readonly version: string;
    }
  /** RFC 3339, UTC. */
  | { readonly kind: "date"; readonly before: string }
  /** An id, `stable` or `next`. */
  | { readonly kind: "image"; readonly image: string }
  | { readonly kind: "interpreter"; readonly configuration: string }
  | { readonly kind: "env"; readonly name: string; readonly value: string };

export interface Pin {
  /** Normalised. */
  readonly project: string;
  /** Canonical (PEP 440). */
  readonly version: string;
}

const FORMS =
  "write setuptools==83, ./dist/x.whl, date:2026-10-01, image:next, on:cpython-3.14, env:NAME=value or none";
const MAX_CHARS = 4095;
const MAX_PINS = 50;

/** What the farm sets itself, or would not reach every step. */
const OWN_VARIABLES =
  /^(?:HOME|USER|LOGNAME|SHELL|PATH|VIRTUAL_ENV|LANG|TERM|TMPDIR|PYTHONPATH|PYTHONUNBUFFERED|PYTHONFAULTHANDLER|CARGO_HOME|(?:UV|PIP|CREAMERY|SETUPTOOLS_SCM|PDM_BUILD_SCM)_.*)$/u;

/**
 * Reads what stands for a side: `setuptools==83` (several between spaces or commas), a path of a wheel, `date:2026-10-01`,
 * `image:next`, `on:cpython-3.14`, `env:NAME=value`, `none`.
 * @throws CreameryError `usage`, `bad-requirement`, `bad-archive`.
 */
export function parseSide(typed: string): Side {
  const text = typed.trim();
  if (text === "" || text.length > MAX_CHARS || text.includes("\u0000"))
    throw wrong(text, text === "" ? "a side is empty" : "is no side of a comparison", FORMS);
  if (text === "none") return { kind: "none" };
  const [, word = "", value = ""] = /^(date|image|on|env):(.*)$/su.exec(text) ?? [];
  switch (word) {
    case "date":
      return { kind: "date", before: instantOf(text, value) };
    case "image":
      if (value === "")
        throw wrong(text, "names no image", "write image:stable, image:next or image:ID");
      return { kind: "image", image: value };
    case "on":
      if (value === "") throw wrong(text, "names no configuration", "write on:cpython-3.14, say");
      return { kind: "interpreter", configuration: value };
    case "env":
      return variableOf(text, value);
    default:
      return text.endsWith(".whl") ? wheelOf(text) : { kind: "pins", pins: pinsOf(text) };
  }
}

/** A day is its beginning, in UTC. */
function instantOf(text: string, value: string): string {
  const form =
    /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/u;
  const at = form.test(value) ? Date.parse(value) : Number.NaN;
  // `2026-02-31` is read as a day of March.
  const [year, month, day] = value.split(/[-T]/u).map(Number);
  const said = new Date(Date.UTC(year ?? 0, (month ?? 1) - 1, day ?? 1));
  if (Number.isNaN(at) || said.getUTCDate() !== day)
    throw wrong(text, "is no date", "write date:2026-10-01 or date:2026-10-01T12:00:00Z");
  return new Date(at).toISOString();
}

function variableOf(text: string, assignment: string): Side {
  const [, name, value = ""] = /^([A-Za-z_]\w{0,99})=(.*)$/su.exec(assignment) ?? [];
  if (name === undefined)
    throw wrong(text, "is no assignment of a variable", "write env:PYTHONHASHSEED=0, say");
  if (OWN_VARIABLES.test(name))
    throw wrong(text, `${name} is the farm's own to set`, "name another variable");
  return { kind: "env", name, value };
}

function wheelOf(text: string): Side {
  const parsed = parseWheelFilename(basename(text));
  if (parsed === null)
    throw new CreameryError("bad-archive", "is no wheel by its name", {
      input: shown(text),
      nextStep: "give a file such as ./dist/name-1.0-py3-none-any.whl",
    });
  return { kind: "wheel", path: text, project: parsed.project, version: parsed.version };
}

function pinsOf(text: string): Pin[] {
  const words = text.split(/[\s,]+/u).filter((word) => word !== "");
  if (words.length > MAX_PINS) throw wrong(text, `pins more than ${MAX_PINS} projects`, FORMS);
  const pins = words.map((word) => pinOf(word));
  const twice = pins.find(
    ({ project }, at) => pins.findIndex((pin) => pin.project === project) !== at,
  );
  if (twice !== undefined)
    throw wrong(text, `pins ${twice.project} twice`, "pin each project once");
  return pins.toSorted((left, right) => (left.project < right.project ? -1 : 1));
}

function pinOf(word: string): Pin {
  const requirement = parseRequirement(word);
  const [clause, second] = requirement?.specifiers ?? [];
  const exact =
    requirement !== null &&
    requirement.url === null &&
    requirement.marker === null &&
    requirement.extras.length === 0 &&
    second === undefined &&
    clause?.operator === "=="
      ? parseVersion(clause.text)
      : null;
  if (requirement === null || exact === null) {
    const name = requirement?.name ?? /^[\w.-]*/u.exec(word)?.[0] ?? "";
    throw new CreameryError("bad-requirement", "is no release: a name, == and one version", {
      input: shown(word),
      nextStep:
        name === ""
          ? FORMS
          : `write ${clip(name, 80)}==VERSION, or ${FORMS.slice("write ".length)}`,
    });
  }
  return { project: requirement.project, version: formatVersion(exact) };
}

function wrong(text: string, reason: string, nextStep: string): CreameryError {
  return new CreameryError("usage", reason, { input: shown(text), nextStep });
}

function shown(text: string): string {
  return clip(printableLine(text), 100);
}
