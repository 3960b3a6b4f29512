import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { CreameryError, reasonOf } from "../base/errors.ts";
import { askerFrom } from "./asker.ts";
import { removeSessionCgroups } from "./cgroup.ts";
import type { Directories } from "./directories.ts";
import { faultOf } from "./fault.ts";
import { Guests } from "./guests.ts";
import { ociStart } from "./oci/start-plan.ts";
import {
  toLauncherSchema,
  type FromLauncher,
  type LauncherReply,
  type LauncherRequest,
  type MachineShape,
  type OciRuntime,
  type SnapshotFacts,
} from "./protocol.ts";
import type { Snapshots } from "./qemu/snapshots.ts";
import { runtimeCommand } from "./runtimes.ts";
import { removeScratchDisks } from "./qemu/scratch-disks.ts";
import { deadSessions, removeSession, type Session } from "./session.ts";

const REAP_MS = 5000;
/** Of a program that is read from a cold disk. */
const PROBE_MS = 20_000;

export interface ServeOptions {
  readonly session: Session;
  readonly directories: Directories;
  readonly env: NodeJS.ProcessEnv;
  readonly send: (message: FromLauncher) => unknown;
}

export interface Service {
  /** A message of the unprivileged process, as it came. */
  receive(raw: unknown): void;
  /** Ends all guests and requests. */
  close(): Promise<void>;
}

/** Serves the fixed requests of protocol.ts. What does not parse ends the request, never the launcher. */
export function serve(options: ServeOptions): Service {
  const { session, directories, env, send } = options;
  const guests = new Guests({ session, onEnded: (ended, detail) => send({ ended, detail }) });
  let snapshots: Promise<Snapshots> | undefined;
  const virtual = () => {
    snapshots ??= import("./qemu/snapshots.ts").then(
      (module) => new module.Snapshots({ session, directories, env, guests }),
    );
    return snapshots;
  };
  const images = async () =>
    new (await import("./images.ts")).Images({ session, directories, env });
  const running = new Map<number, { abort: AbortController; done: Promise<void> }>();
  const reaped = reap(directories);

  function answer(id: number, request: LauncherRequest): void {
    const abort = new AbortController();
    const done = perform(request, abort.signal, (progress) => send({ id, progress }))
      .then(
        (value) => send({ id, value }),
        (thrown: unknown) => send({ id, error: faultOf(thrown) }),
      )
      .then(() => {
        running.delete(id);
      });
    running.set(id, { abort, done });
  }

  async function perform(
    request: LauncherRequest,
    signal: AbortSignal,
    onProgress: (event: unknown) => void,
  ): Promise<LauncherReply<LauncherRequest["kind"]>> {
    const asked = { session, asker: askerFrom(env), signal };
    switch (request.kind) {
      case "prepare-guest":
        return guests.prepare(request.guestId, request.runtime);
      case "start-guest":
        guests.start(request.guestId, ociStart({ session, directories, env, request }));
        return {};
      case "find-snapshot":
        return await (await virtual()).find(shapeOf(request));
      case "begin-snapshot": {
        const { guestId } = request;
        return await (await virtual()).begin(guestId, shapeOf(request), signal, onProgress);
      }
      case "keep-snapshot":
        return await (await virtual()).keep(request.guestId, factsOf(request));
      case "start-copy": {
        const { guestId, cpuSeconds } = request;
        return await (await virtual()).startCopy(guestId, shapeOf(request), cpuSeconds);
      }
      case "remove-snapshot":
        await (await virtual()).remove(request.key);
        return {};
      case "probe-kvm": {
        const { probeKvm } = await import("./qemu/probe-kvm.ts");
        const { imageId } = request;
        return await probeKvm({ session, directories, env, guests, imageId }, () =>
          onProgress("probing"),
        );
      }
      case "stop-guest":
        return { counters: await guests.stop(request.guestId) };
      case "guest-counters":
        return await guests.counters(request.guestId);
      case "probe-runtime":
        if (request.runtime === "qemu")
          return { version: `QEMU ${(await (await virtual()).qemu()).full}` };
        return probe(request.runtime, env, directories);
      case "build-image":
        return await (await images()).build({ ...request, onProgress, signal });
      case "rebuild-image":
        return await (await images()).rebuild({ ...request, ...asked, onProgress });
      case "remove-image": {
        const released = await (await images()).remove({ ...request, signal });
        await (await virtual()).forgetImage(request.imageId);
        return released;
      }
      case "promote-image": {
        const { promoteImage } = await import("../image/channels.ts");
        await promoteImage(imagesOf(directories), request.channel, request.imageId);
        return {};
      }
      case "rollback-image": {
        const { rollbackImage } = await import("../image/channels.ts");
        return { imageId: await rollbackImage(imagesOf(directories), request.channel) };
      }
      // Some of an image's files are for root to read only.
      case "verify-image": {
        const { verifyImage } = await import("../image/image-store.ts");
        const found = await verifyImage(imagesOf(directories), request.imageId, signal);
        return { ...found, differences: [...found.differences] };
      }
      case "export-image": {
        const { exportImage } = await import("./export-image.ts");
        return await exportImage({ ...asked, ...request, directories, onProgress });
      }
      case "pack-image":
        return await (await images()).pack({ ...request, onProgress, signal });
      case "import-image":
        return await (await images()).take({ ...request, onProgress, signal });
      case "probe-user-path":
        return await (await import("./user-files.ts")).probeUserPath({ ...asked, ...request });
      case "pack-tree":
        return await (await import("./user-files.ts")).packTree({ ...asked, ...request });
      case "read-user-file":
        return await (await import("./user-files.ts")).readUserFile({ ...asked, ...request });
      case "read-user-text":
        return await (await import("./user-files.ts")).readUserText({ ...asked, ...request });
      case "write-user-file":
        await (await import("./user-files.ts")).writeUserFile({ ...asked, ...request });
        return {};
      case "begin-user-tree":
        return await (await import("./user-tree.ts")).beginUserTree({ ...asked, ...request });
      case "add-to-user-tree":
        await (await import("./user-tree.ts")).addToUserTree({ ...asked, ...request });
        return {};
      case "end-user-tree":
        await (await import("./user-tree.ts")).endUserTree({ ...asked, ...request });
        return {};
    }
  }

  return {
    receive(raw) {
      const parsed = toLauncherSchema.safeParse(raw);
      if (!parsed.success) {
        const id =
          typeof raw === "object" && raw !== null && "id" in raw && typeof raw.id === "number"
            ? raw.id
            : 0;
        const reason = parsed.error.issues[0]?.message ?? "malformed";
        send({
          id,
          error: { code: "launcher", reason: `the launcher refuses a request: ${reason}` },
        });
        return;
      }
      const message = parsed.data;
      if ("abort" in message) running.get(message.id)?.abort.abort();
      else if (running.has(message.id))
        send({ id: message.id, error: { code: "launcher", reason: "the request's id is in use" } });
      else answer(message.id, message.request);
    },
    async close() {
      for (const { abort } of running.values()) abort.abort();
      await Promise.all([...running.values()].map(({ done }) => done));
      await guests.stopAll();
      await removeSessionCgroups(session.id, REAP_MS);
      await reaped;
    },
  };
}

function shapeOf({ imageId, accelerator, memoryBytes, diskBytes }: MachineShape): MachineShape {
  return { imageId, accelerator, memoryBytes, diskBytes };
}

function factsOf({ bootSeconds, warmSeconds, warmed }: SnapshotFacts): SnapshotFacts {
  return { bootSeconds, warmSeconds, warmed };
}

function imagesOf({ cache }: Directories): string {
  return join(cache, "images");
}

/** Removes what launchers left that were killed: groups with what runs in them, then files. */
async function reap(directories: Directories): Promise<void> {
  for (const dead of deadSessions(directories.run)) {
    try {
      await removeSessionCgroups(dead.id, REAP_MS);
      removeScratchDisks(directories, dead.id);
      removeSession(dead);
    } catch (thrown) {
      process.stderr.write(`creamery: leftovers of an ended command remain: ${reasonOf(thrown)}\n`);
    }
  }
}

function probe(
  runtime: OciRuntime,
  env: NodeJS.ProcessEnv,
  directories: Directories,
): { version: string } {
  const command = runtimeCommand(runtime, env, directories);
  const asked = spawnSync(command, ["--version"], { encoding: "utf8", timeout: PROBE_MS });
  if (asked.error !== undefined || asked.status !== 0) {
    throw new CreameryError(
      "host-lacks",
      `${runtime} needs ${runtime === "gvisor" ? "runsc" : "runc"}, which does not start`,
      {
        nextStep: "see `creamery doctor`",
      },
    );
  }
  const version = asked.stdout.split("\n")[0]?.slice(0, 100) ?? "";
  return { version };
}
