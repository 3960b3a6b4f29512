#!/bin/sh
# Runs inside the new root file system, as root, with no network, after its packages are installed.
set -eu

# The user that all package code runs as, and the directories that are its own.
groupadd --gid 1000 tester
useradd --uid 1000 --gid 1000 --home-dir /home/tester --create-home --shell /bin/bash tester
install -d -o tester -g tester -m 755 /job
install -d -m 755 /opt/creamery/guest /run/creamery

printf 'en_US.UTF-8 UTF-8\n' >/etc/locale.gen
locale-gen >/dev/null
ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime
printf 'Etc/UTC\n' >/etc/timezone
printf 'creamery\n' >/etc/hostname
printf '127.0.0.1 localhost creamery\n::1 localhost ip6-localhost\n' >/etc/hosts

# Two interpreters of other suites come without what python3-venv would add: uv and virtualenv make their environments.
printf '#!/bin/sh\n# Environments for interpreters that uv does not serve.\nPYTHONPATH=/usr/local/lib/creamery exec /usr/bin/python3.11 -m virtualenv "$@"\n' \
  >/usr/local/bin/creamery-virtualenv
chmod 755 /usr/local/bin/creamery-virtualenv
