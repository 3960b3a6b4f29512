import type { OciRuntime } from "../protocol.ts";
import { SECCOMP_PROFILE } from "./seccomp.ts";

/** The user all package code runs as, in every guest. */
export const JOB_UID = 1000;
/** Where the package's user may write; one place in the code, as the image and both runtimes must agree. */
export const JOB_WRITABLE = ["/job", "/tmp", "/home/tester", "/var/tmp"] as const;

/** The agent's command line, in a guest of its own image. */
export const AGENT = [
  "/usr/bin/python3.13",
  "-I",
  "-S",
  "-B",
  "/opt/creamery/guest/agent.py",
] as const;

/** What the agent's work needs of root's power, inside of its own guest only. */
const CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_KILL",
  "CAP_NET_BIND_SERVICE",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SYS_PTRACE",
];

const MASKED_PATHS = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const MIB = 1024 * 1024;
const SHM_BYTES = 256 * MIB;

export interface BundleOptions {
  readonly runtime: OciRuntime;
  /** The image's root, read-only (gvisor), or the overlay on it (container). */
  readonly root: string;
  /** Host directories that the guest sees as /run/creamery and /opt/creamery/guest. */
  readonly sockets: string;
  readonly agent: string;
  readonly nonce: string;
  readonly diskBytes: number;
  readonly cgroupPath: string;
  /** First of the 65536 host ids that the guest's users are mapped to; container only. */
  readonly firstUid: number;
}

/** One configuration for both runtimes (OCI runtime specification 1.0.2); they differ in who bounds the disk and maps users. */
export function ociConfiguration(options: BundleOptions): object {
  const container = options.runtime === "container";
  const namespaces = ["pid", "network", "ipc", "uts", "mount", ...(container ? ["user"] : [])];
  const mapping = [{ containerID: 0, hostID: options.firstUid, size: 65536 }];
  return {
    ociVersion: "1.0.2",
    hostname: "creamery",
    root: { path: options.root, readonly: false },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: AGENT,
      cwd: "/",
      env: [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG=C.UTF-8",
        `CREAMERY_NONCE=${options.nonce}`,
      ],
      noNewPrivileges: true,
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      // A user namespace's root can't raise it: there it is inherited from the starter.
      ...(container ? {} : { rlimits: [{ type: "RLIMIT_NOFILE", soft: 65536, hard: 65536 }] }),
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      tmpfs("/dev", ["nosuid", "mode=755", "size=65536k"]),
      {
        destination: "/dev/pts",
        type: "devpts",
        source: "devpts",
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
      },
      tmpfs("/dev/shm", ["nosuid", "nodev", "mode=1777", `size=${SHM_BYTES}`]),
      {
        destination: "/sys",
        type: "sysfs",
        source: "sysfs",
        options: ["nosuid", "noexec", "nodev", "ro"],
      },
      bind(options.sockets, "/run/creamery"),
      bind(options.agent, "/opt/creamery/guest"),
      // gVisor bounds these itself; a container's whole root lies on one bounded file system.
      ...(container ? [] : JOB_WRITABLE.map((path) => jobTmpfs(path, options.diskBytes))),
    ],
    linux: {
      namespaces: namespaces.map((type) => ({ type })),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
      ...(container
        ? {
            uidMappings: mapping,
            gidMappings: mapping,
            cgroupsPath: options.cgroupPath,
            seccomp: SECCOMP_PROFILE,
          }
        : {}),
    },
  };
}

function tmpfs(destination: string, options: readonly string[]): object {
  return { destination, type: "tmpfs", source: "tmpfs", options };
}

function jobTmpfs(path: string, sizeBytes: number): object {
  const shared = path.endsWith("/tmp");
  const owner = shared ? ["mode=1777"] : ["mode=755", `uid=${JOB_UID}`, `gid=${JOB_UID}`];
  return tmpfs(path, ["nosuid", "nodev", ...owner, `size=${sizeBytes}`]);
}

function bind(source: string, destination: string): object {
  return { destination, type: "bind", source, options: ["bind", "ro", "nosuid", "nodev"] };
}
