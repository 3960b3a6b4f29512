import { join } from "node:path";

import type { ImageDefinition } from "./definition.ts";
import { runStep } from "./run-step.ts";

/**
 * Makes what differs between two builds of the same packages the same: times, byte code, machine-id, logs,
 * caches, what apt and dpkg remember. Byte code of the standard libraries is compiled to be believed
 * without a look at its source's time, so that it survives every way of carrying the tree.
 */
export async function normaliseTree(definition: ImageDefinition, rootfs: string, signal: AbortSignal): Promise<void> {
  const step = { what: "normalising the root file system", nextStep: "run the build again", signal };
  const script = [
    "set -eu",
    'cd "$1"',
    "find . -xdev -name __pycache__ -prune -exec rm -rf {} +",
    "find . -xdev \\( -name '*.pyc' -o -name '*.pyo' \\) -delete",
    "rm -rf var/lib/apt/lists/* var/cache/apt/* var/cache/ldconfig var/cache/debconf/*-old var/lib/dpkg/*-old var/log/* tmp/* run/* home/tester/.cache",
    "rm -rf etc/apt/sources.list etc/apt/sources.list.d/* etc/apt/preferences.d/* etc/apt/apt.conf.d/99mmdebstrap",
    "rm -f etc/ssh/ssh_host_* var/lib/systemd/random-seed var/lib/dbus/machine-id etc/resolv.conf etc/.pwd.lock etc/passwd- etc/group- etc/shadow- etc/gshadow- etc/subuid- etc/subgid-",
    "rm -rf var/cache/man/* var/cache/fontconfig/* var/lib/ucf/*.[0-9]",
    ": >etc/machine-id; : >etc/resolv.conf",
    "mkdir -p run/creamery opt/creamery/guest job home/tester var/tmp tmp; chmod 1777 tmp var/tmp",
    // The day of a password's last change says when the image was built.
    "sed -i 's/^\\([^:]*:[^:]*:\\)[0-9]*:/\\119000:/' etc/shadow",
    // File times first: Python 2 keeps its source's time in its byte code.
    'find . -xdev -print0 | xargs -0 touch --no-dereference --date="@$2"',
  ].join("\n");
  const epoch = String(definition.epoch);
  await runStep({ ...step, argv: ["sh", "-c", script, "sh", rootfs, epoch] });
  const skipped = "(/test/|/tests/|/idlelib/|/lib2to3/tests/|/bad)";
  // Two at a time: most of an image build's time is spent here.
  const queue = [...definition.interpreters];
  const compile = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const modern = !one.name.endsWith("-2.7");
      await runStep({
        ...step,
        argv: [
          "chroot", rootfs, "env", "-i", "PATH=/usr/bin:/bin", "PYTHONHASHSEED=0", "sh", "-c",
          // Some files of a standard library are not meant to compile; that is not this image's fault.
          `"$@" || true`, "sh", one.executable, "-m", "compileall", "-q", "-f", ...(modern ? ["--invalidation-mode", "unchecked-hash"] : []), "-x", skipped, one.library,
        ],
      });
    }
  };
  await Promise.all([compile(), compile()]);
  await runStep({ ...step, argv: ["sh", "-c", 'cd "$1" && find . -xdev -newermt "@$2" -print0 | xargs -0r touch --no-dereference --date="@$2"', "sh", join(rootfs, "."), epoch] });
}
