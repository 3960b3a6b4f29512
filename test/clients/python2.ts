import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { listImages } from "../../src/image/image-store.ts";
import { directoriesFrom } from "../../src/launcher/directories.ts";

const run = promisify(execFile);

/**
 * The image, and over it what is written, which goes with the mounts: pip's first release leaves a record in Python's own
 * directory. What the caller gives lies at /tmp/work. Its network is the host's.
 */
const SCRIPT = `
set -e
root=$1 work=$2
top=$(mktemp -d)
mount -t tmpfs -o mode=755 creamery-clients "$top"
mkdir "$top/root" "$top/written" "$top/work"
mount -t overlay -o "lowerdir=$root,upperdir=$top/written,workdir=$top/work" creamery-clients "$top/root"
mount -t tmpfs creamery-clients "$top/root/tmp"
mkdir "$top/root/tmp/work"
mount --bind "$work" "$top/root/tmp/work"
mount --bind "$3" "$top/root/mnt"
mount -t proc proc "$top/root/proc"
mount --rbind /dev "$top/root/dev"
shift 3
exec chroot "$top/root" "$@"
`;

/**
 * Runs the image's Python 2.7. As root.
 * @param library is at /mnt, for its PYTHONPATH. @param work is at /tmp/work.
 */
export async function runPython2(
  argv: readonly string[],
  { library, work }: { readonly library: string; readonly work: string },
): Promise<string> {
  const images = join(directoriesFrom(process.env).cache, "images");
  const [image] = (await listImages(images)).filter(({ interpreters }) =>
    interpreters.some(({ name }) => name === "cpython-2.7"),
  );
  if (image === undefined) throw new Error("no image has a Python 2.7");
  const env = ["-i", "HOME=/tmp", "PYTHONPATH=/mnt", "PATH=/usr/bin:/bin", "LANG=C.UTF-8"];
  const inner = ["/usr/bin/env", ...env, "/usr/bin/python2.7", ...argv];
  const isolated = ["--mount", "--propagation", "private", "bash", "-c", SCRIPT, "bash"];
  const { stdout } = await run(
    "unshare",
    [...isolated, join(images, image.id, "rootfs"), work, library, ...inner],
    { cwd: "/", maxBuffer: 16 << 20 },
  );
  return stdout;
}
