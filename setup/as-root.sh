# shellcheck shell=sh
# Starts a script of this clone again as root, without ever asking for a password.

# The variables that root needs of the user who asked: names only, so that no value shows in a process list.
kept_variables() {
  env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' | while read -r name; do
    case $name in
      CREAMERY_* | PIP_* | UV_* | npm_config_* | NPM_CONFIG_* | *_proxy | *_PROXY | CI | NO_COLOR | FORCE_COLOR | \
        COLUMNS | LINES | TERM | LANG | LC_* | SSL_CERT_FILE | SSL_CERT_DIR | NODE_EXTRA_CA_CERTS | \
        REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | CARGO_HOME | AWS_ACCESS_KEY_ID | AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN) printf '%s,' "$name" ;;
    esac
  done
}

# run_as_root SCRIPT [ARGUMENT...]: never returns.
run_as_root() {
  if ! command -v sudo >/dev/null 2>&1; then
    echo "creamery: needs root (mounts, cgroups, starting guests) and there is no sudo here; run it as root" >&2
    exit 3
  fi
  if ! sudo -n true 2>/dev/null; then
    echo "creamery: needs root (mounts, cgroups, starting guests) and sudo wants a password; run it with sudo" >&2
    exit 3
  fi
  CREAMERY_ASKER_HOME=$HOME
  export CREAMERY_ASKER_HOME
  keep=$(kept_variables)
  exec sudo -n --preserve-env="${keep%,}" -- "$@"
}
