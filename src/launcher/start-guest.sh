#!/bin/sh
# Starts one guest so that it can't outlive the launcher: `setpriv --pdeathsig` before this script and `unshare --kill-child`
# in it carry a SIGKILL on to a process namespace that holds all of the guest, the runtime included. Mounts are made in a mount
# namespace of its own and go with it.
#
# start-guest.sh enter "JOIN_FILES" start-guest.sh STAGE ARGUMENTS
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
  qemu)
    exec unshare --net --ipc --uts sh "$0" qemu-inside "$@"
    ;;
  qemu-inside) # qemu ACCELERATOR GUEST_DIRECTORY UID GROUP SOCKETS FILES WRITABLE QEMU_PROGRAM, QEMU's arguments
    accelerator=$3 directory=$4 uid=$5 group=$6 sockets=$7 files=$8 writable=$9
    shift 9
    # A root of its own: the host's programs, the machine's files, and nothing else to be found by whoever gets out of the machine.
    mkdir "$directory/root"
    mount -t tmpfs -o nosuid,mode=755,size=1m creamery "$directory/root"
    cd "$directory/root"
    mkdir usr dev machine sockets guest
    mount --bind -o ro,nosuid /usr usr
    for name in bin sbin lib lib32 lib64 libx32; do
      [ ! -L "/$name" ] || ln -s "$(readlink "/$name")" "$name"
    done
    mknod -m 666 dev/null c 1 3
    mknod -m 444 dev/urandom c 1 9
    [ "$accelerator" != kvm ] || mknod -m 666 dev/kvm c 10 232
    mount --bind "$sockets" sockets
    mount --bind -o ro "$files/guest" guest
    if [ -e "$files/pristine" ]; then
      scratch=$(readlink "$files/scratch")
      cp --sparse=always "$files/pristine" "$scratch"
      chown "$uid" "$scratch"
    fi
    for name in vmlinuz initrd image ram scratch; do
      [ -e "$files/$name" ] || continue
      : >"machine/$name"
      case " $writable " in
        *" $name "*) mount --bind "$files/$name" "machine/$name" ;;
        *) mount --bind -o ro "$files/$name" "machine/$name" ;;
      esac
    done
    # No file grows beyond what a machine has, whoever gets out of it.
    bytes=0
    for name in $writable; do bytes=$((bytes + $(stat -c %s "machine/$name"))); done
    ulimit -f $((bytes / 512 + 1))
    ulimit -c 0
    # What is bound stays as long as this namespace, and nothing of it is left then.
    [ ! -e "$files/pristine" ] || rm "$scratch"
    # A user of its own, whom QEMU's can't trace; root's rights until it listens.
    chroot . /usr/bin/setpriv --inh-caps=-all --bounding-set=-all,+net_admin,+setuid,+setgid --no-new-privs -- \
      /usr/bin/python3 -I -S -B /guest/machine/index_relay.py $((uid + 1)) "$uid" </dev/null >/dev/null &
    [ ! -e "$files/state" ] || exec 9<"$files/state"
    # QEMU's threads allocate little: an arena for each would be memory that no guest uses.
    export MALLOC_ARENA_MAX=1
    # This shell stays: a change of user would clear the signal by which QEMU hears of its parent's end.
    chroot . /usr/bin/setpriv --reuid "$uid" --regid "$uid" --groups "$group" --inh-caps=-all --bounding-set=-all --no-new-privs -- "$@"
    exit $?
    ;;
esac
