import type { SnapshotStep } from "../../machine/qemu/make-snapshot.ts";

/** A line of progress for each step of making a snapshot. */
export const SNAPSHOT_STEPS: Readonly<Record<SnapshotStep, string>> = {
  waiting: "another command makes a snapshot: waiting for it",
  disk: "making a disk of the image (about 20 s, once for an image)",
  boot: "making the snapshot that virtual machines are copied from: booting",
  warm: "making the snapshot: warming interpreters, uv, pip and the compiler (about a minute and a half without KVM, once)",
  write: "making the snapshot: writing it",
};

export const PROBE_STEP =
  "trying whether KVM boots a guest here (at most 10 s, once until the host restarts)";
