# shellcheck shell=sh
# Where things are, and whether set-up is complete: a few file tests and one `cmp`, because this is on
# the way to every command. Sourced with CREAMERY_HOME set.

CREAMERY_CACHE_DIR=${CREAMERY_CACHE_DIR:-/var/cache/creamery}
CREAMERY_DATA_DIR=${CREAMERY_DATA_DIR:-/var/lib/creamery}
CREAMERY_RUN_DIR=${CREAMERY_RUN_DIR:-/run/creamery}
# shellcheck disable=SC2034 # read by setup/node.sh and setup/bring.sh
CREAMERY_FARM_UID=64123

# The commands of the Debian packages in setup/debian-packages.txt, one that each must bring.
environment_has_commands() {
  for tool in mmdebstrap runc git unshare setpriv xz python3; do
    command -v "$tool" >/dev/null 2>&1 || return 1
  done
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] && [ -e /etc/ssl/certs/ca-certificates.crt ]
}

# True when the clone's npm packages are those of the lock; `dev` asks for the development ones too.
environment_has_npm_packages() {
  cmp -s "$CREAMERY_HOME/package-lock.json" "$CREAMERY_HOME/node_modules/.creamery-lock-dev" ||
    { [ "${1-}" != dev ] && cmp -s "$CREAMERY_HOME/package-lock.json" "$CREAMERY_HOME/node_modules/.creamery-lock"; }
}

# Reads what setup/bring.sh wrote (Node, runsc, certificates); false when any of it is missing or has
# changed since. The format's number goes up whenever this file asks for something new.
environment_ready() {
  tools=$CREAMERY_CACHE_DIR/tools
  [ -r "$tools/ready-1" ] || return 1
  CREAMERY_NODE="" CREAMERY_RUNSC_BROUGHT="" CREAMERY_CA_BUNDLE=""
  while IFS='=' read -r key value; do
    case $key in
      node) CREAMERY_NODE=$value ;;
      runsc) CREAMERY_RUNSC_BROUGHT=$value ;;
      certificates) CREAMERY_CA_BUNDLE=$value ;;
    esac
  done <"$tools/ready-1"
  [ -x "$CREAMERY_NODE" ] && [ -x "$CREAMERY_RUNSC_BROUGHT" ] || return 1
  # The host's own Node may have been replaced by an older one.
  # shellcheck disable=SC3013 # dash and every sh of Debian have -nt
  [ ! "$CREAMERY_NODE" -nt "$tools/ready-1" ] || return 1
  environment_has_commands && environment_has_npm_packages "${1-}"
}

# Exports what the launcher and the command line read.
environment_export() {
  CREAMERY_RUNSC=${CREAMERY_RUNSC:-$CREAMERY_RUNSC_BROUGHT}
  export CREAMERY_HOME CREAMERY_CACHE_DIR CREAMERY_DATA_DIR CREAMERY_RUN_DIR CREAMERY_NODE CREAMERY_RUNSC
  # Root's own: code compiled by the unprivileged process must never be loaded by the launcher.
  if [ "$(id -u)" = 0 ]; then
    NODE_COMPILE_CACHE=$CREAMERY_CACHE_DIR/compile/root
    export NODE_COMPILE_CACHE
  fi
  if [ -z "${NODE_EXTRA_CA_CERTS-}" ] && [ -r "$CREAMERY_CA_BUNDLE" ]; then
    NODE_EXTRA_CA_CERTS=$CREAMERY_CA_BUNDLE
    export NODE_EXTRA_CA_CERTS
  fi
}
