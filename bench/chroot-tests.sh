#!/bin/bash
# A project's tests in a plain chroot of an image: what a guest's time is compared with. As root, in a mount namespace of its own:
#
#     unshare --mount --propagation private bash bench/chroot-tests.sh ROOTFS FILES SDIST PACKAGE ARGUMENT...
#
# FILES holds the wheels that are installed, SDIST is the source whose tests are run by ARGUMENT..., with the tree's own PACKAGE
# replaced by the installed one. Prints the seconds of the tests as the last line.
set -euo pipefail
rootfs=$1 files=$2 sdist=$3 package=$4
shift 4

top=$(mktemp -d)
trap 'umount --lazy --recursive "$top" 2>/dev/null; rmdir "$top"' EXIT
mount -t tmpfs -o mode=755 creamery-bench "$top"
mkdir "$top/upper" "$top/work" "$top/root"
mount -t overlay -o "lowerdir=$rootfs,upperdir=$top/upper,workdir=$top/work" creamery-bench "$top/root"
root=$top/root
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root/job/files" "$root/job/src"
cp "$files"/* "$root/job/files/"
tar --extract --no-same-owner --file "$sdist" --directory "$root/job/src" --strip-components 1
chown -R 1000:1000 "$root/job"

inside() {
  chroot --userspec=1000:1000 "$root" /usr/bin/env -i HOME=/home/tester USER=tester LANG=C.UTF-8 TMPDIR=/tmp TERM=dumb \
    PYTHONUNBUFFERED=1 PYTHONFAULTHANDLER=1 PATH=/job/venv/bin:/usr/local/bin:/usr/bin:/bin UV_CACHE_DIR=/job/.cache "$@" </dev/null
}
inside uv venv --quiet --python /usr/bin/python3.13 /job/venv
inside sh -c 'uv pip install --quiet --offline --no-index --find-links /job/files --no-deps --python /job/venv/bin/python /job/files/*.whl'
inside sh -c "rm -rf /job/src/*.egg-info /job/src/$package; cp -a /job/venv/lib/python3.13/site-packages/$package /job/src/$package"

began=$(date +%s%N)
# A test that fails here fails in a guest too, or is that guest's to explain: it is the time that is compared.
inside sh -c 'cd /job/src && "$@"' sh /job/venv/bin/python -m "$@" >"$top/log" 2>&1 || true
ended=$(date +%s%N)
tail -n 1 "$top/log"
awk "BEGIN { print ($ended - $began) / 1e9 }"
