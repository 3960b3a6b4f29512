import { z } from "zod";

import { CHANNELS } from "../image/channel-names.ts";

/**
 * What the unprivileged process may ask of the launcher, and nothing else. Ids only: every path is derived
 * by the launcher, except paths of the person who asked, which are opened with that person's rights.
 */

export const guestIdSchema = z.string().regex(/^[a-z][a-z0-9-]{0,23}$/u);
export const imageIdSchema = z.string().regex(/^[0-9A-Za-z](?:[0-9A-Za-z+_-]|\.(?!\.)){0,95}$/u);
const runtimeSchema = z.enum(["gvisor", "container", "qemu"]);
/** A file directly in the session's exchange directory. */
const exchangeNameSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/u);
const userPathSchema = z
  .string()
  .min(1)
  .max(4095)
  .refine((path) => path.startsWith("/") && !path.includes("\u0000"), "an absolute path is needed");
const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/u);
const bytesSchema = z
  .int()
  .min(1024 * 1024)
  .max(2 ** 50);

const prepareGuest = z.strictObject({
  kind: z.literal("prepare-guest"),
  guestId: guestIdSchema,
  runtime: runtimeSchema,
});
const startGuest = z.strictObject({
  kind: z.literal("start-guest"),
  guestId: guestIdSchema,
  imageId: imageIdSchema,
  nonce: z.string().regex(/^[0-9a-f]{16,64}$/u),
  memoryBytes: bytesSchema,
  diskBytes: bytesSchema,
  cpuSeconds: z.number().positive().max(1e7),
  pids: z.int().min(8).max(100_000),
});
/** All that two virtual machines must have in common for one to be a copy of the other, but for what the host adds. */
const machineShape = {
  imageId: imageIdSchema,
  accelerator: z.enum(["tcg", "kvm"]),
  memoryBytes: bytesSchema,
  diskBytes: bytesSchema,
};
const findSnapshot = z.strictObject({ kind: z.literal("find-snapshot"), ...machineShape });
/** Boots the machine that is to be copied; `ready` where another command made the snapshot meanwhile, and nothing was started. */
const beginSnapshot = z.strictObject({
  kind: z.literal("begin-snapshot"),
  guestId: guestIdSchema,
  ...machineShape,
});
const seconds = z.number().nonnegative().max(1e6);
/** How long a machine's start took, and what running each program once before it is copied saves. */
export const snapshotFactsShape = {
  bootSeconds: seconds,
  warmSeconds: seconds,
  warmed: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z0-9.-]{1,40}$/u),
        firstSeconds: seconds,
        secondSeconds: seconds,
      }),
    )
    .max(100),
};
/** The machine is written and has ended: what it left becomes a snapshot. */
const keepSnapshot = z.strictObject({
  kind: z.literal("keep-snapshot"),
  guestId: guestIdSchema,
  ...snapshotFactsShape,
});
/** Starts a copy, which waits to be given the state. */
const startCopy = z.strictObject({
  kind: z.literal("start-copy"),
  guestId: guestIdSchema,
  ...machineShape,
  cpuSeconds: z.number().positive().max(1e7),
});
const snapshotKeySchema = z.string().regex(/^[0-9a-f]{16}$/u);
const removeSnapshot = z.strictObject({
  kind: z.literal("remove-snapshot"),
  key: snapshotKeySchema,
});
/** Whether this host's KVM runs a guest: by booting one, once in the host's uptime. */
const probeKvm = z.strictObject({ kind: z.literal("probe-kvm"), imageId: imageIdSchema });
const stopGuest = z.strictObject({ kind: z.literal("stop-guest"), guestId: guestIdSchema });
const guestCounters = z.strictObject({ kind: z.literal("guest-counters"), guestId: guestIdSchema });
const probeRuntime = z.strictObject({ kind: z.literal("probe-runtime"), runtime: runtimeSchema });
const buildImage = z.strictObject({
  kind: z.literal("build-image"),
  definition: imageIdSchema,
  force: z.boolean(),
});
/** Out of the lock at a path of the person who asked, which the command line itself must have named. */
const rebuildImage = z.strictObject({
  kind: z.literal("rebuild-image"),
  path: userPathSchema,
  force: z.boolean(),
});
const removeImage = z.strictObject({
  kind: z.literal("remove-image"),
  imageId: imageIdSchema,
  /** Its lock too, and every kept file that no other lock names. */
  files: z.boolean(),
});
const verifyImage = z.strictObject({ kind: z.literal("verify-image"), imageId: imageIdSchema });
const exportImage = z.strictObject({
  kind: z.literal("export-image"),
  imageId: imageIdSchema,
  path: userPathSchema,
});
/** For other hosts to fetch: one file, which the farm may read. */
const packImage = z.strictObject({ kind: z.literal("pack-image"), imageId: imageIdSchema });
/** Out of the archive that the farm has put into `<data>/incoming`, under its sha256. */
const importImage = z.strictObject({
  kind: z.literal("import-image"),
  imageId: imageIdSchema,
  sha256: sha256Schema,
  /** The most that is unpacked of it. */
  unpackedBytes: z
    .int()
    .positive()
    .max(2 ** 50),
});
const channelSchema = z.enum(CHANNELS);
const promoteImage = z.strictObject({
  kind: z.literal("promote-image"),
  channel: channelSchema,
  imageId: imageIdSchema,
});
const rollbackImage = z.strictObject({
  kind: z.literal("rollback-image"),
  channel: channelSchema,
});
/** What is at a path, for the person who asked: nothing is read or kept. */
const probeUserPath = z.strictObject({ kind: z.literal("probe-user-path"), path: userPathSchema });
const packTree = z.strictObject({
  kind: z.literal("pack-tree"),
  path: userPathSchema,
  result: exchangeNameSchema,
  maxBytes: bytesSchema,
});
const readUserFile = z.strictObject({
  kind: z.literal("read-user-file"),
  path: userPathSchema,
  result: exchangeNameSchema,
  maxBytes: bytesSchema,
});
const readUserText = z.strictObject({
  kind: z.literal("read-user-text"),
  path: userPathSchema,
  maxBytes: z
    .int()
    .positive()
    .max(1024 * 1024),
});
const writeUserFile = z.strictObject({
  kind: z.literal("write-user-file"),
  path: userPathSchema,
  content: exchangeNameSchema,
  /** For its owner alone to read. */
  isPrivate: z.boolean().optional(),
});
/** As `begin-user-tree` answers it. */
const treePartSchema = z.string().regex(/^\.creamery-[0-9a-f]{16}\.part$/u);
/** A directory of files at a path of the person who asked: put together beside it, to take its place once it is whole. */
const beginUserTree = z.strictObject({ kind: z.literal("begin-user-tree"), path: userPathSchema });
const addToUserTree = z.strictObject({
  kind: z.literal("add-to-user-tree"),
  path: userPathSchema,
  part: treePartSchema,
  /** Frames of files (tree-frames.ts). */
  content: exchangeNameSchema,
  isPrivate: z.boolean(),
});
const endUserTree = z.strictObject({
  kind: z.literal("end-user-tree"),
  path: userPathSchema,
  part: treePartSchema,
  keep: z.boolean(),
  isPrivate: z.boolean(),
});

export const launcherRequestSchema = z.discriminatedUnion("kind", [
  prepareGuest,
  startGuest,
  findSnapshot,
  beginSnapshot,
  keepSnapshot,
  startCopy,
  removeSnapshot,
  probeKvm,
  stopGuest,
  guestCounters,
  probeRuntime,
  buildImage,
  rebuildImage,
  removeImage,
  verifyImage,
  exportImage,
  packImage,
  importImage,
  promoteImage,
  rollbackImage,
  probeUserPath,
  packTree,
  readUserFile,
  readUserText,
  writeUserFile,
  beginUserTree,
  addToUserTree,
  endUserTree,
]);
export type LauncherRequest = z.infer<typeof launcherRequestSchema>;
export type StartGuestRequest = z.infer<typeof startGuest>;
export type Runtime = z.infer<typeof runtimeSchema>;
export type OciRuntime = Exclude<Runtime, "qemu">;
export type MachineShape = Omit<z.infer<typeof findSnapshot>, "kind">;
export type SnapshotFacts = Omit<z.infer<typeof keepSnapshot>, "kind" | "guestId">;

/** From the unprivileged process. `abort` ends the request of that id early; it still gets its answer. */
export const toLauncherSchema = z.union([
  z.strictObject({ id: z.int().positive(), request: launcherRequestSchema }),
  z.strictObject({ id: z.int().positive(), abort: z.literal(true) }),
]);
export type ToLauncher = z.infer<typeof toLauncherSchema>;

export const countersSchema = z.strictObject({
  memoryPeakBytes: z.number(),
  oomKills: z.number(),
  pidsRefused: z.number(),
  cpuSeconds: z.number(),
  /** Peak of what was seen used; 0 where only the guest can tell. */
  diskBytes: z.number(),
  diskFull: z.boolean(),
});
export type Counters = z.infer<typeof countersSchema>;

export const replySchemas = {
  "prepare-guest": z.strictObject({ socketDirectory: z.string(), traceLog: z.string().nullable() }),
  "start-guest": z.strictObject({}),
  /** `key` is by what a snapshot is found: it changes with all that a copy depends on. */
  "find-snapshot": z.strictObject({ key: snapshotKeySchema, ready: z.boolean() }),
  "begin-snapshot": z.strictObject({ ready: z.boolean() }),
  "keep-snapshot": z.strictObject({ key: snapshotKeySchema }),
  /** False where there is no snapshot (any more), or it is not what it was when it was made. */
  "start-copy": z.strictObject({ started: z.boolean() }),
  "remove-snapshot": z.strictObject({}),
  "probe-kvm": z.strictObject({ works: z.boolean(), reason: z.string() }),
  "stop-guest": z.strictObject({ counters: countersSchema.nullable() }),
  "guest-counters": countersSchema,
  "probe-runtime": z.strictObject({ version: z.string() }),
  "build-image": z.strictObject({ imageId: z.string() }),
  "rebuild-image": z.strictObject({ imageId: z.string() }),
  /** What was released. */
  "remove-image": z.strictObject({ files: z.int(), bytes: z.int() }),
  /** What container tools call it once it is loaded. */
  "export-image": z.strictObject({ reference: z.string(), sizeBytes: z.number() }),
  "pack-image": z.strictObject({
    sha256: sha256Schema,
    sizeBytes: z.int(),
    unpackedBytes: z.int(),
  }),
  "import-image": z.strictObject({ imageId: z.string() }),
  "promote-image": z.strictObject({}),
  "rollback-image": z.strictObject({ imageId: z.string() }),
  "verify-image": z.strictObject({
    sound: z.boolean(),
    files: z.int(),
    differences: z.array(z.string()),
  }),
  "probe-user-path": z.strictObject({ what: z.enum(["file", "directory", "other"]) }),
  "pack-tree": z.strictObject({ file: z.string(), sizeBytes: z.number() }),
  "read-user-file": z.strictObject({ file: z.string(), sizeBytes: z.number() }),
  "read-user-text": z.strictObject({ text: z.string() }),
  "write-user-file": z.strictObject({}),
  "begin-user-tree": z.strictObject({ part: treePartSchema }),
  "add-to-user-tree": z.strictObject({}),
  "end-user-tree": z.strictObject({}),
} as const satisfies Record<LauncherRequest["kind"], z.ZodType>;
export type LauncherReply<Kind extends LauncherRequest["kind"]> = z.infer<
  (typeof replySchemas)[Kind]
>;

/** A fault of one process, told to another. */
export const faultSchema = z.strictObject({
  code: z.string(),
  reason: z.string(),
  input: z.string().optional(),
  nextStep: z.string().optional(),
});
export type Fault = z.infer<typeof faultSchema>;

/** To the unprivileged process. */
export const fromLauncherSchema = z.union([
  z.strictObject({ id: z.int(), value: z.unknown() }),
  z.strictObject({ id: z.int(), progress: z.unknown() }),
  z.strictObject({
    id: z.int(),
    error: faultSchema,
  }),
  z.strictObject({ ended: z.string(), detail: z.string() }),
]);
export type FromLauncher = z.infer<typeof fromLauncherSchema>;
