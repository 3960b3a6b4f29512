#!/bin/sh
# Starts one guest so that it can't outlive the launcher: `setpriv --pdeathsig` before this script and `unshare --kill-child`
# in it carry a SIGKILL on to a process namespace that holds all of the guest, the runtime included. Mounts are made in a mount
# namespace of its own and go with it.
#
# start-guest.sh enter "JOIN_FILES" start-guest.sh CONTAINER_OR_GVISOR ARGUMENTS
set -eu
case $1 in
  enter)
    for file in $2; do echo $$ >"$file"; done
    shift 2
    # As many open files as a test may want, or as many as this host grants.
    ulimit -n 65536 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"
    exec unshare --mount --pid --fork --kill-child=SIGKILL --mount-proc sh "$@"
    ;;
  gvisor) # GUEST_DIRECTORY ROOTFS RUNTIME_ARGUMENTS
    # Read-only here too: a runtime makes mount points that the root lacks, and must not make them in the image.
    mkdir "$2/root"
    mount --bind -o ro "$3" "$2/root"
    shift 3
    exec "$@"
    ;;
  container) # GUEST_DIRECTORY ROOTFS SIZE_BYTES FIRST_UID JOB_UID RUNTIME_ARGUMENTS
    cd "$2" && rootfs=$3 size=$4 first=$5 job=$(($5 + $6))
    shift 6
    mkdir root scratch
    mount -t tmpfs -o "nosuid,nodev,mode=755,size=$size" creamery scratch
    cd scratch
    # Directories that the guest's root and its job user own, over the image's, whose owners are unmapped in a user namespace.
    mkdir -p work upper/etc upper/home/tester upper/job upper/tmp upper/var/tmp upper/root upper/run/creamery upper/opt/creamery/guest
    : >upper/etc/resolv.conf
    chown -R "$first:$first" upper
    chown "$job:$job" upper/home/tester upper/job
    chmod 1777 upper/tmp upper/var/tmp
    chmod 700 upper/root
    cd ..
    mount -t overlay -o "lowerdir=$rootfs,upperdir=scratch/upper,workdir=scratch/work" creamery root
    exec "$@"
    ;;
esac
