#!/bin/sh
# Brings what this host lacks: Debian packages, Node, npm packages, runsc. Each step looks first, does
# only what is missing, and makes its result visible by one rename or stamp, so that a run interrupted
# anywhere is gone on with by the next. Run as root; `--dev` brings what the tests need too.
set -eu
umask 022

CREAMERY_HOME=$(cd "$(dirname "$0")/.." && pwd -P)
# shellcheck source=setup/environment.sh
. "$CREAMERY_HOME/setup/environment.sh"
tools=$CREAMERY_CACHE_DIR/tools
mkdir -p "$tools" "$CREAMERY_CACHE_DIR/compile" 2>/dev/null || {
  echo "creamery: cannot make $tools; check that the disk is writable and not full" >&2
  exit 3
}
# shellcheck source=setup/report.sh
. "$CREAMERY_HOME/setup/report.sh"
# shellcheck source=setup/debian-packages.sh
. "$CREAMERY_HOME/setup/debian-packages.sh"
# shellcheck source=setup/node.sh
. "$CREAMERY_HOME/setup/node.sh"
# shellcheck source=setup/npm-packages.sh
. "$CREAMERY_HOME/setup/npm-packages.sh"
# shellcheck source=setup/runsc.sh
. "$CREAMERY_HOME/setup/runsc.sh"

dev=""
[ "${1-}" != --dev ] || dev=dev
CREAMERY_NODE="" CREAMERY_RUNSC_BROUGHT="" CREAMERY_CA_BUNDLE=""
trap 'stop_watching' EXIT
trap 'stop_watching; say "interrupted; the next run goes on from here"; exit 130' INT TERM HUP

# Two runs at once: the second waits and then finds everything there.
exec 9>"$tools/.lock"
if ! flock -n 9; then
  say "waiting for another set-up to end"
  flock 9
fi
if environment_ready "${dev:-runtime}"; then exit 0; fi

free_kb=$(df -Pk "$tools" | awk 'NR == 2 { print $4 }')
[ "$free_kb" -gt 1048576 ] || fail "$CREAMERY_CACHE_DIR has $((free_kb / 1024)) MB free, set-up needs 1 GB" "make room, or name another place with CREAMERY_CACHE_DIR"

: >"$BRING_LOG"
started=$(date +%s)
bring_debian_packages "$dev"
bring_node
CREAMERY_CA_BUNDLE=$(find_certificates)
bring_npm_packages "$dev"
bring_runsc

# Compiled code is kept apart by user: root loads only what root wrote.
install -d -m 700 "$CREAMERY_CACHE_DIR/compile/root"
install -d -m 700 -o "$CREAMERY_FARM_UID" -g "$CREAMERY_FARM_UID" "$CREAMERY_CACHE_DIR/compile/farm"
printf 'node=%s\nrunsc=%s\ncertificates=%s\n' "$CREAMERY_NODE" "$CREAMERY_RUNSC_BROUGHT" "$CREAMERY_CA_BUNDLE" >"$tools/.ready.part"
# shellcheck disable=SC3013 # dash and every sh of Debian have -nt
# A Node whose date lies in the future must not make the stamp look old for ever.
[ ! "$CREAMERY_NODE" -nt "$tools/.ready.part" ] || touch -r "$CREAMERY_NODE" "$tools/.ready.part"
mv "$tools/.ready.part" "$tools/ready-1"
say "set-up complete in $(($(date +%s) - started)) s"
