#!/bin/sh
# Runs a script of this repository by the farm's own Node, which is brought first where it is missing; the host's may be older.
set -eu
CREAMERY_HOME=$(cd "$(dirname "$0")/.." && pwd -P)
# shellcheck source=setup/environment.sh
. "$CREAMERY_HOME/setup/environment.sh"
if ! environment_ready dev; then
  if [ "$(id -u)" != 0 ]; then
    # shellcheck source=setup/as-root.sh
    . "$CREAMERY_HOME/setup/as-root.sh"
    run_as_root "$CREAMERY_HOME/setup/with-node.sh" "$@"
  fi
  sh "$CREAMERY_HOME/setup/bring.sh" --dev >&2
  environment_ready dev || {
    echo "creamery: set-up ended, yet something is missing; see $CREAMERY_CACHE_DIR/tools/bring.log" >&2
    exit 3
  }
fi
environment_export
exec "$CREAMERY_NODE" "$@"
