# shellcheck shell=sh
# Step 1: the Debian packages of setup/debian-packages.txt, for the tests those of debian-packages-dev.txt too, only those
# that are missing.

# missing_packages [dev]
missing_packages() {
  cat "$CREAMERY_HOME/setup/debian-packages.txt" ${1:+"$CREAMERY_HOME/setup/debian-packages-dev.txt"} |
    while read -r package; do
      [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
    done
}

apt_quiet() {
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y \
    -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

measure_apt() {
  if tail -n 1 "$BRING_LOG" | grep -q 'lock'; then
    echo "waiting for another package manager to end"
  else
    awk -v from="$apt_log_start" 'NR > from && /^Get:/ { got++ } NR > from && /^Unpacking/ { unpacked++ } NR > from && /^Setting up/ { set++ }
      NR > from && / newly installed/ { match($0, /[0-9]+ newly/); total = substr($0, RSTART, RLENGTH - 6) }
      END { printf "%d fetched, %d unpacked, %d of %s packages ready", got, unpacked, set, (total == "" ? "?" : total) }' "$BRING_LOG"
  fi
}

# apt-get update has no lock timeout of its own: asked again for up to ten minutes while another holds it.
update_lists() {
  update_tries=0
  while :; do
    update_from=$(wc -l <"$BRING_LOG")
    apt_quiet update && return 0
    update_tries=$((update_tries + 1))
    [ "$update_tries" -lt 120 ] && tail -n "+$((update_from + 1))" "$BRING_LOG" | grep -q 'Could not get lock' || return 1
    sleep 5
  done
}

# bring_debian_packages [dev]
bring_debian_packages() {
  if ! command -v apt-get >/dev/null 2>&1; then
    environment_has_commands "${1-}" && return 0
    fail "this host has no apt-get" "Debian 12 or 13 is needed, or the packages of setup/debian-packages.txt by hand"
  fi
  # A run that was interrupted while dpkg worked.
  if [ -n "$(dpkg --audit 2>/dev/null)" ]; then
    say "finishing what an interrupted package installation left"
    DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure -a </dev/null >>"$BRING_LOG" 2>&1 ||
      fail "dpkg could not finish an interrupted installation: $(log_reason)" "run 'dpkg --configure -a' and look at $BRING_LOG"
  fi
  packages=$(missing_packages "${1-}")
  [ -n "$packages" ] || return 0
  say "[1/4] Debian packages: ${packages% } (about a minute)"
  apt_log_start=$(wc -l <"$BRING_LOG")
  # Some source that we do not need may be out of reach: whether that matters, the installation tells.
  watched "package lists" measure_apt -- update_lists || true
  # shellcheck disable=SC2086 # a list of names
  watched "Debian packages" measure_apt -- apt_quiet install --no-install-recommends $packages ||
    fail "apt-get could not install ${packages% }: $(log_reason)" "look at $BRING_LOG, then run the same command again"
}
