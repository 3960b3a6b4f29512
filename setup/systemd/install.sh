#!/bin/sh
# Writes the unit of the farm, or of one more host of a farm elsewhere, for this clone. Enables and starts nothing.
#
#     sudo sh setup/systemd/install.sh [up|worker] [DIRECTORY]
set -eu

home=$(cd "$(dirname "$0")/../.." && pwd -P)
case ${1-up} in
  up) unit=creamery.service ;;
  worker) unit=creamery-worker.service ;;
  *)
    echo "usage: setup/systemd/install.sh [up|worker] [DIRECTORY]" >&2
    exit 2
    ;;
esac
directory=${2-/etc/systemd/system}
case $home in
  # systemd would take them apart, or for its own.
  *[!A-Za-z0-9/._+-]*)
    echo "creamery: $home: a unit can't name this path; move the clone to one of letters, digits, / . _ + and -" >&2
    exit 2
    ;;
esac
[ -d "$directory" ] && [ -w "$directory" ] || {
  echo "creamery: $directory: can't be written to; run this as root, on a host with systemd" >&2
  exit 3
}
fresh=$directory/.$unit.$$
sed "s#@CREAMERY@#$home#g" "$home/setup/systemd/$unit" >"$fresh"
chmod 644 "$fresh"
mv "$fresh" "$directory/$unit"
if [ "$directory" = /etc/systemd/system ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
echo "creamery: $directory/$unit is written; start it with: systemctl enable --now ${unit%.service}"
