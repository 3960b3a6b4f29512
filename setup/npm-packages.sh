# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154 # CREAMERY_HOME and tools come from setup/bring.sh
# Step 3: the npm packages of package-lock.json, into the clone, from the registry that npm is configured
# for here. Written as the clone's owner, so that the owner's own npm goes on working.

measure_npm() { echo "$(megabytes_in "$CREAMERY_HOME/node_modules") MB"; }

npm_program() {
  beside=$(dirname "$CREAMERY_NODE")
  for program in "$beside/../lib/node_modules/npm/bin/npm-cli.js" /usr/share/nodejs/npm/bin/npm-cli.js; do
    if [ -r "$program" ]; then
      printf '%s\n' "$program"
      return 0
    fi
  done
  return 1
}

as_owner() {
  owner=$(stat -c %u "$CREAMERY_HOME")
  if [ "$owner" = 0 ]; then
    "$@"
  else
    setpriv --reuid "$owner" --regid "$(stat -c %g "$CREAMERY_HOME")" --clear-groups "$@"
  fi
}

npm_install() {
  # This Node's npm does not look where a Debian or a hand-made npm keeps the settings of the whole host.
  for settings in /usr/etc/npmrc /usr/local/etc/npmrc /etc/npmrc; do
    if [ -z "${NPM_CONFIG_GLOBALCONFIG-}" ] && [ -r "$settings" ]; then NPM_CONFIG_GLOBALCONFIG=$settings; fi
  done
  [ -z "${NPM_CONFIG_GLOBALCONFIG-}" ] || export NPM_CONFIG_GLOBALCONFIG
  if [ -z "${NODE_EXTRA_CA_CERTS-}" ] && [ -n "$CREAMERY_CA_BUNDLE" ]; then
    NODE_EXTRA_CA_CERTS=$CREAMERY_CA_BUNDLE
    export NODE_EXTRA_CA_CERTS
  fi
  cd "$CREAMERY_HOME" || return 1
  HOME=${CREAMERY_ASKER_HOME:-$HOME} PATH=$(dirname "$CREAMERY_NODE"):$PATH \
    as_owner "$CREAMERY_NODE" "$npm_cli" install --no-save --no-audit --no-fund --no-update-notifier --ignore-scripts \
    --cache "$npm_cache" --loglevel error "$@"
}

# Which of `dev` and `runtime` node_modules is, by the lock's hashes; false when neither.
installed_packages() {
  as_owner "$CREAMERY_NODE" "$CREAMERY_HOME/setup/installed-packages.ts" "$CREAMERY_HOME" 2>>"$BRING_LOG"
}

# bring_npm_packages [dev]
bring_npm_packages() {
  environment_has_npm_packages "${1-}" && return 0
  modules=$CREAMERY_HOME/node_modules
  kind=runtime stamp=.creamery-lock
  # A clone that had the development packages keeps them.
  if [ "${1-}" = dev ] || [ -e "$modules/.creamery-lock-dev" ] || [ -e "$modules/vitest" ]; then
    kind=dev stamp=.creamery-lock-dev
  fi
  # An interrupted installation can leave half a package that npm takes for a whole one.
  if [ -e "$modules/.creamery-unfinished" ]; then rm -rf "$modules"; fi
  # What a developer's own npm installed is as good, when it is what the lock says.
  if [ -d "$modules" ] && [ "$(installed_packages)" = "$kind" ]; then
    as_owner cp "$CREAMERY_HOME/package-lock.json" "$modules/$stamp"
    return 0
  fi
  npm_cli=$(npm_program) || fail "the Node at $CREAMERY_NODE has no npm" "install npm beside it, or take that Node out of PATH"
  npm_cache=$(mktemp -d "$tools/.npm.XXXXXX")
  chown "$(stat -c %u "$CREAMERY_HOME")" "$npm_cache"
  as_owner mkdir -p "$modules"
  as_owner touch "$modules/.creamery-unfinished"
  # `install` and not `ci`: a lock made behind a partial registry lacks other platforms' optional packages,
  # which `ci` refuses. That what came is what the lock says is checked afterwards.
  if [ "$kind" = dev ]; then
    say "[3/4] npm packages, the development ones too: about 150 MB unpacked (about 30 s)"
    watched "npm packages" measure_npm -- npm_install --include=dev || npm_failed
  else
    say "[3/4] npm packages: about 15 MB unpacked (about 10 s)"
    watched "npm packages" measure_npm -- npm_install --omit=dev || npm_failed
  fi
  rm -rf "$npm_cache"
  [ "$(installed_packages)" = "$kind" ] ||
    fail "the installed npm packages are not those of package-lock.json" "remove $modules, then run the same command again"
  rm -f "$modules/.creamery-unfinished"
  as_owner cp "$CREAMERY_HOME/package-lock.json" "$modules/$stamp"
}

npm_failed() {
  rm -rf "$npm_cache"
  fail "npm could not install the packages of package-lock.json: $(log_reason)" "check the network and npm's registry ('npm config get registry'), then run the same command again"
}
