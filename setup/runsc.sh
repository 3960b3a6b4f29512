# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154 # CREAMERY_HOME and tools come from setup/bring.sh
# Step 4: gVisor's runsc. Debian 12's is too old (no systrap), so the newer suite's is taken, whichever
# this host runs: through an apt of our own, which leaves the host's sources and lists alone and checks
# signatures with Debian's keyring. Only the one static binary is unpacked, nothing is installed.

RUNSC_SUITE=trixie

# The mirrors that this host's apt is configured for, Debian's own archive first; both forms of sources.
host_mirrors() {
  # shellcheck disable=SC2016 # apt's own variables
  apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 !~ /security/ && $1 !~ /^cdrom:/ { print ($2 == "Debian" && $3 == "Debian" ? 0 : 1), $1 }' | sort -u -s -k 1,1 -k 2 |
    awk '!seen[$2]++ { print $2 }'
}

private_apt() {
  apt-get -q -y -o Dir::Etc::sourcelist="$apt_root/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$apt_root/lists" -o Dir::State::status="$apt_root/status" -o Dir::Cache="$apt_root/cache" \
    -o Dir::Etc::preferencesparts=/dev/null -o Dir::Etc::preferences=/dev/null \
    -o APT::Sandbox::User=root -o Acquire::Languages=none -o APT::Update::Post-Invoke-Success::=true \
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled=false \
    -o Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled=false "$@"
}

measure_runsc() { echo "$(megabytes_in "$apt_root") MB of about 35"; }

# One mirror tried: its lists, then the package. The lists' signature is checked by apt.
fetch_runsc() {
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$1" "$RUNSC_SUITE" >"$apt_root/sources.list"
  private_apt -o APT::Update::Error-Mode=any update && (cd "$apt_root/part" && private_apt download runsc)
}

bring_runsc() {
  for present in "$tools"/runsc-*/runsc; do
    if [ -x "$present" ]; then CREAMERY_RUNSC_BROUGHT=$present; fi
  done
  [ -z "$CREAMERY_RUNSC_BROUGHT" ] || return 0
  command -v apt-get >/dev/null 2>&1 || fail "this host has no apt-get to fetch runsc with" "put a runsc of 2024 or newer at $tools/runsc-own/runsc"
  say "[4/4] runsc (gVisor) of Debian $RUNSC_SUITE: 35 MB (about 10 s)"
  apt_root=$CREAMERY_CACHE_DIR/apt
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  rm -rf "$apt_root/part" "$apt_root/lists"
  mkdir -p "$apt_root/part" "$apt_root/lists/partial" "$apt_root/cache/archives/partial"
  : >"$apt_root/status"
  for mirror in $(host_mirrors); do
    if watched "runsc" measure_runsc -- fetch_runsc "$mirror"; then break; fi
  done
  set -- "$apt_root"/part/runsc_*.deb
  [ -r "$1" ] || fail "no Debian mirror of this host's apt sources gave runsc: $(log_reason)" "check /etc/apt/sources.list and the network, then run the same command again"
  runsc_version=$(dpkg-deb -f "$1" Version)
  dpkg-deb -x "$1" "$apt_root/part/tree"
  mkdir -p "$apt_root/part/runsc"
  mv "$apt_root/part/tree/usr/bin/runsc" "$apt_root/part/runsc/runsc"
  mv "$apt_root/part/runsc" "$tools/runsc-$runsc_version"
  rm -rf "$apt_root"
  CREAMERY_RUNSC_BROUGHT=$tools/runsc-$runsc_version/runsc
}
