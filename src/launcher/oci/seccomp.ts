/**
 * System calls that no test needs and through which containers were left before: refused with EPERM.
 * A list of what is refused, not of what is allowed, since the packages under test are to see an ordinary Linux;
 * the user namespace and the dropped capabilities stand behind it.
 */
const REFUSED = [
  ["acct", "add_key", "bpf", "clock_adjtime", "clock_settime", "adjtimex", "settimeofday", "stime"],
  [
    "delete_module",
    "finit_module",
    "init_module",
    "create_module",
    "get_kernel_syms",
    "query_module",
  ],
  [
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "pivot_root",
  ],
  [
    "umount",
    "umount2",
    "chroot",
    "open_by_handle_at",
    "name_to_handle_at",
    "quotactl",
    "quotactl_fd",
  ],
  [
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kexec_file_load",
    "kexec_load",
  ],
  [
    "keyctl",
    "request_key",
    "lookup_dcookie",
    "nfsservctl",
    "perf_event_open",
    "reboot",
    "setns",
    "unshare",
  ],
  [
    "setdomainname",
    "sethostname",
    "swapoff",
    "swapon",
    "syslog",
    "sysfs",
    "userfaultfd",
    "uselib",
    "vhangup",
  ],
  ["vm86", "vm86old", "fanotify_init", "landlock_create_ruleset", "kcmp", "memfd_secret"],
].flat();

const EPERM = 1;
const ENOSYS = 38;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (clone(2)): no namespaces inside of a guest. */
const NAMESPACE_FLAGS = [
  0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
];

/** For `linux.seccomp` of an OCI configuration. */
export const SECCOMP_PROFILE = {
  defaultAction: "SCMP_ACT_ALLOW",
  architectures:
    process.arch === "arm64"
      ? ["SCMP_ARCH_AARCH64"]
      : ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  syscalls: [
    { names: REFUSED, action: "SCMP_ACT_ERRNO", errnoRet: EPERM },
    // clone3 hides its flags in memory, where seccomp can't look: without it the C library uses clone.
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
    ...NAMESPACE_FLAGS.map((flag) => ({
      names: ["clone"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: EPERM,
      args: [{ index: 0, value: flag, valueTwo: flag, op: "SCMP_CMP_MASKED_EQ" }],
    })),
  ],
} as const;
