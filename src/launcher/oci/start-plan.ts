import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import type { Directories } from "../directories.ts";
import type { GuestStart, Prepared } from "../guests.ts";
import type { StartGuestRequest } from "../protocol.ts";
import { runtimeCommand } from "../runtimes.ts";
import type { Session } from "../session.ts";
import { JOB_UID, ociConfiguration } from "./bundle.ts";

/** gVisor needs several host threads and processes for one of the guest's; the guest's own limit is set inside. */
const GVISOR_TASKS = { perProcess: 8, base: 512 };
/** What the sandbox itself needs, beside what the guest may use. */
const GVISOR_MEMORY = { perProcessBytes: 2 * 1024 * 1024, baseBytes: 128 * 1024 * 1024 };

export interface OciStart {
  readonly session: Session;
  readonly directories: Directories;
  readonly env: NodeJS.ProcessEnv;
  readonly request: StartGuestRequest;
}

/** How a guest of gVisor or a container is started. @throws CreameryError `unknown-image`. */
export function ociStart({ session, directories, env, request }: OciStart): GuestStart {
  const rootfs = join(directories.cache, "images", request.imageId, "rootfs");
  if (!existsSync(join(rootfs, "usr"))) {
    throw new CreameryError("unknown-image", "there is no such image", {
      input: request.imageId,
      nextStep: "build it with `creamery image build`",
    });
  }
  return {
    cpuSeconds: request.cpuSeconds,
    diskBytes: request.diskBytes,
    limits: ({ runtime }) => {
      const container = runtime === "container";
      const sandboxBytes = container
        ? 0
        : GVISOR_MEMORY.baseBytes + request.pids * GVISOR_MEMORY.perProcessBytes;
      return {
        // What is written lies in memory, so it counts there too.
        memoryBytes: request.memoryBytes + request.diskBytes + sandboxBytes,
        pids: container ? request.pids : request.pids * GVISOR_TASKS.perProcess + GVISOR_TASKS.base,
      };
    },
    stage: (prepared, cgroupPath) => {
      const { runtime, directory, firstUid, sockets } = prepared;
      if (runtime === "qemu")
        throw new CreameryError("launcher", "a virtual machine is no such guest", {
          input: request.guestId,
        });
      const configuration = ociConfiguration({
        runtime,
        root: join(directory, "root"),
        sockets,
        agent: join(session.repository, "guest"),
        nonce: request.nonce,
        diskBytes: request.diskBytes,
        cgroupPath,
        firstUid,
      });
      writeFileSync(join(directory, "config.json"), JSON.stringify(configuration), { mode: 0o600 });
      const program = runtimeCommand(runtime, env, directories);
      return runtime === "container"
        ? [
            "container",
            directory,
            rootfs,
            String(request.diskBytes),
            String(firstUid),
            String(JOB_UID),
            ...runcArguments(program, prepared),
          ]
        : ["gvisor", directory, rootfs, ...runscArguments(program, prepared)];
    },
  };
}

function runscArguments(program: string, { id, directory, traceLog }: Prepared): string[] {
  return [
    program,
    `--root=${join(directory, "state")}`,
    // The launcher's own group holds the sandbox, and outlives it: its counters say why a guest ended.
    "--ignore-cgroups",
    "--platform=systrap",
    "--network=none",
    "--host-uds=open",
    "--overlay2=root:memory",
    "--strace",
    "--strace-syscalls=connect,clone,clone3,fork,vfork",
    "--strace-log-size=64",
    ...(traceLog === null ? [] : [`--debug-log=${traceLog}`]),
    "run",
    `--bundle=${directory}`,
    id,
  ];
}

function runcArguments(program: string, { id, directory }: Prepared): string[] {
  return [program, "--root", join(directory, "state"), "run", "--bundle", directory, id];
}
