import type { ImageManifest } from "../../image/manifest.ts";
import type { Change, ReleaseSide } from "../../judge/change.ts";
import type { HostFile, JobOverlay } from "../../worker/attempt-job.ts";

/** What every attempt of one side is given. */
export interface SideSetting {
  readonly name: "A" | "B";
  readonly image: ImageManifest;
  /** Null: those that were asked for. */
  readonly configuration: string | null;
  readonly overlay: JobOverlay | undefined;
  /** `Requires-Python` of the release that is pinned; null where nothing is said. */
  readonly requiresPython: string | null;
}

export interface SettingParts {
  readonly images: { readonly a: ImageManifest; readonly b: ImageManifest };
  /** Wheels that are named, brought to this host. */
  readonly wheels: { readonly a: HostFile | null; readonly b: HostFile | null };
  readonly requiresPython: { readonly a: string | null; readonly b: string | null };
}

/** Both sides of a change: they differ in that and in nothing else. */
export function settingsOf(
  change: Change,
  { images, wheels, requiresPython }: SettingParts,
): { readonly a: SideSetting; readonly b: SideSetting } {
  const setting = (side: "a" | "b"): SideSetting => ({
    name: side === "a" ? "A" : "B",
    image: images[side],
    configuration: change.kind === "interpreter" ? change[side] : null,
    overlay: overlayFor(change, side, wheels[side]),
    requiresPython: requiresPython[side],
  });
  return { a: setting("a"), b: setting("b") };
}

const NOTHING: JobOverlay = { releases: [], before: null, env: {}, watch: [] };

function overlayFor(
  change: Change,
  side: "a" | "b",
  wheel: HostFile | null,
): JobOverlay | undefined {
  switch (change.kind) {
    case "release": {
      const { project, fixed } = change;
      return {
        ...NOTHING,
        releases: [
          ...fixed.map((pin) => ({ ...pin, wheel: null })),
          ...releaseOf(project, change[side], wheel),
        ],
        watch: [project],
      };
    }
    case "date":
      return change[side] === null ? undefined : { ...NOTHING, before: change[side] };
    case "env":
      return change[side] === null
        ? undefined
        : { ...NOTHING, env: { [change.name]: change[side] } };
    case "image":
    case "interpreter":
      return undefined;
  }
}

function releaseOf(
  project: string,
  side: ReleaseSide,
  wheel: HostFile | null,
): JobOverlay["releases"] {
  switch (side.kind) {
    case "any":
      return [];
    case "pin":
      return [{ project, version: side.version, wheel: null }];
    case "wheel":
      return [{ project, version: side.version, wheel }];
  }
}
