# shellcheck shell=sh
# Where things are, and whether set-up is complete: a few file tests and one `cmp`, because this is on
# the way to every command. Sourced with CREAMERY_HOME set.

# environment_directories_of FILE [COMMAND...]: [directories] of a configuration file, as lines `cache /path`, read by an
# awk that COMMAND starts. Only `key = "/path"`, alone on its line below the table's head, is understood here; what else
# TOML allows is found by the command line, which compares what came of it (src/cli/farm/assert-directories.ts).
environment_directories_of() {
  directories_of=$1
  shift
  "$@" awk '
    /^[ \t]*\[/ { inside = ($0 ~ /^[ \t]*\[[ \t]*directories[ \t]*\][ \t\r]*(#.*)?$/) }
    inside && /^[ \t]*(cache|data|run)[ \t]*=[ \t]*("\/[^"\\]*"|'"'\\/[^']*'"')[ \t\r]*(#.*)?$/ {
      split($0, word, /[ \t=]+/)
      value = substr($0, index($0, "/"))
      quote = substr($0, index($0, "/") - 1, 1)
      print (word[1] == "" ? word[2] : word[1]), substr(value, 1, index(value, quote) - 1)
    }' "$directories_of" 2>/dev/null
}

# What CREAMERY_CACHE_DIR and the others do not say, the clone's creamery.toml says, or the file that --config names among
# the words of ./creamery. Costs a look at a file where there is none, an awk where there is one.
environment_find_directories() {
  # The command line is told which of them a person has set.
  CREAMERY_DIRS_GIVEN="${CREAMERY_CACHE_DIR:+cache }${CREAMERY_DATA_DIR:+data }${CREAMERY_RUN_DIR:+run}"
  directories_file=$CREAMERY_HOME/creamery.toml
  while [ $# -gt 0 ]; do
    case $1 in
      --) break ;;
      --config=*) directories_file=${1#--config=} ;;
      --config) directories_file=${2-} ;;
    esac
    shift
  done
  [ -f "$directories_file" ] || return 0
  # To awk, a name with a = in it would be no file.
  case $directories_file in /*) ;; *) directories_file=./$directories_file ;; esac
  # What a person names is read with that person's rights.
  if [ "$directories_file" != "$CREAMERY_HOME/creamery.toml" ] && [ -n "${SUDO_UID-}" ] && [ "$(id -u)" = 0 ]; then
    set -- setpriv --reuid "$SUDO_UID" --regid "${SUDO_GID:-$SUDO_UID}" --init-groups
  else
    set --
  fi
  while read -r key value; do
    case $key in
      cache) CREAMERY_CACHE_DIR=${CREAMERY_CACHE_DIR:-$value} ;;
      data) CREAMERY_DATA_DIR=${CREAMERY_DATA_DIR:-$value} ;;
      run) CREAMERY_RUN_DIR=${CREAMERY_RUN_DIR:-$value} ;;
    esac
  done <<EOF
$(environment_directories_of "$directories_file" "$@")
EOF
}

environment_find_directories "$@"
CREAMERY_CACHE_DIR=${CREAMERY_CACHE_DIR:-/var/cache/creamery}
CREAMERY_DATA_DIR=${CREAMERY_DATA_DIR:-/var/lib/creamery}
CREAMERY_RUN_DIR=${CREAMERY_RUN_DIR:-/run/creamery}
for directory in "CACHE $CREAMERY_CACHE_DIR" "DATA $CREAMERY_DATA_DIR" "RUN $CREAMERY_RUN_DIR"; do
  case ${directory#* } in
    /*) ;;
    *)
      echo "creamery: ${directory#* }: CREAMERY_${directory%% *}_DIR is no absolute path; write it from the root, as in /srv/creamery" >&2
      exit 2
      ;;
  esac
done
# shellcheck disable=SC2034 # read by setup/node.sh and setup/bring.sh
CREAMERY_FARM_UID=64123

# The commands of the Debian packages in setup/debian-packages.txt, one that each must bring; `dev` asks for those of
# setup/debian-packages-dev.txt too.
environment_has_commands() {
  if [ "${1-}" = dev ]; then
    for tool in /usr/lib/postgresql/*/bin/postgres ip openssl; do
      command -v "$tool" >/dev/null 2>&1 || return 1
    done
  fi
  for tool in mmdebstrap runc git unshare setpriv xz python3 mke2fs qemu-system-x86_64; do
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
  environment_has_commands "${1-}" && environment_has_npm_packages "${1-}"
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
