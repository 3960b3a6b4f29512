# shellcheck shell=sh
# What set-up says while it works, all on stderr: one line for each step, and inside a step a line that
# is rewritten every second on a terminal, or a plain one every ten seconds elsewhere.

# The log of the programs that set-up runs; a failure shows its end.
BRING_LOG=$CREAMERY_CACHE_DIR/tools/bring.log

# Our own words have a descriptor of their own: a trap that runs inside a command whose output goes to the log would
# speak into the log too.
exec 8>&2

is_terminal() { [ -t 8 ] && [ -z "${NO_COLOR-}" ] && [ "${TERM-dumb}" != dumb ]; }

say() { printf 'creamery: %s\n' "$*" >&8; }

# fail REASON NEXT-STEP: a one-line error; exit code 3, the farm's or its host's own fault.
fail() {
  printf 'creamery: %s; %s\n' "$1" "$2" >&8
  exit 3
}

megabytes_in() { du -sk "$@" 2>/dev/null | awk '{ total += $1 } END { printf "%d", total / 1024 }'; }

# watch_progress LABEL MEASURE...: prints LABEL, what MEASURE prints, and the seconds, until killed.
watch_progress() {
  watch_label=$1
  shift
  watch_seconds=0
  while sleep 1; do
    watch_seconds=$((watch_seconds + 1))
    if is_terminal; then
      printf '\r\033[K  %s: %s, %s s' "$watch_label" "$("$@")" "$watch_seconds" >&8
    elif [ $((watch_seconds % 10)) = 0 ]; then
      printf '  %s: %s, %s s\n' "$watch_label" "$("$@")" "$watch_seconds" >&8
    fi
  done
}

# The watcher's process, so that whatever ends set-up ends it too.
WATCHER=""
stop_watching() {
  [ -n "$WATCHER" ] || return 0
  kill "$WATCHER" 2>/dev/null || true
  wait "$WATCHER" 2>/dev/null || true
  WATCHER=""
  if is_terminal; then printf '\r\033[K' >&8; fi
}

# watched LABEL MEASURE -- COMMAND...: runs COMMAND in the foreground (so that Ctrl-C reaches it), its
# output in the log, progress shown by the shell function MEASURE. Returns COMMAND's status.
watched() {
  watched_label=$1
  watched_measure=$2
  shift 3
  # The lock of set-up (descriptor 9) is not theirs: a sleep that outlives us by a second would hold it.
  watch_progress "$watched_label" "$watched_measure" 9>&- &
  WATCHER=$!
  printf '== %s\n' "$*" | sed 's#//[^/@ ]*@#//***@#g' >>"$BRING_LOG"
  watched_status=0
  "$@" </dev/null >>"$BRING_LOG" 2>&1 9>&- || watched_status=$?
  stop_watching
  return "$watched_status"
}

# The last line of the log that tells something, without credentials.
log_reason() {
  grep -E '^(E:|ERROR|npm error|error|Err|W:)' "$BRING_LOG" | grep -v -e 'complete log of this run' -e 'npm error *$' -e 'npm help' | tail -n 1 |
    sed 's#//[^/@ ]*@#//***@#g' | cut -c 1-300
}
