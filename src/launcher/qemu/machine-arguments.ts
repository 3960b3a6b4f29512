import type { MachineShape } from "../protocol.ts";
import type { QemuProgram } from "./qemu-program.ts";

const MIB = 1024 * 1024;
/** Translated code, which TCG otherwise lets grow to a quarter of the host's memory. */
const TRANSLATED_MIB = 256;
/** Of the machine's memory beside what its job may use: kernel, agent, the layer over the image. */
const SYSTEM_BYTES = 320 * MIB;
/** QEMU itself. */
const QEMU_BYTES = 192 * MIB;

/** The descriptor by which a copy is given the state: QEMU's sandbox lets it start no program that could bring it. */
export const STATE_DESCRIPTOR = 9;

const KERNEL_COMMAND_LINE = [
  "rdinit=/creamery/init",
  "console=ttyS0",
  "quiet",
  "panic=-1",
  "tsc=reliable",
  "no_timer_check",
  "random.trust_cpu=on",
  // What a kernel does by its clock and nobody looks at: each of it would come before a copy's first word.
  "psi=0",
  "nowatchdog",
].join(" ");
/** Ways around the faults of real processors: an emulated one has none of them, and translates each way around. */
const EMULATED = "mitigations=off";

/** What such a machine has by itself, and no guest needs: each costs a start a millisecond, and is one more way to QEMU. */
const WITHOUT = ["smm", "hpet", "vmport", "smbus", "sata", "i8042"].map((name) => `${name}=off`);
const SANDBOX = [
  "-sandbox",
  "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
];
const PROBE_MIB = 512;

/** Memory of a machine whose job may use so much. */
export function machineMemoryBytes({ memoryBytes }: Pick<MachineShape, "memoryBytes">): number {
  return Math.ceil((memoryBytes + SYSTEM_BYTES) / (2 * MIB)) * 2 * MIB;
}

/** From 8.2 on a copy's QEMU opens the memory file for reading only, and writes to its own pages of it all the same. */
export function opensReadOnly({ major, minor }: Pick<QemuProgram, "major" | "minor">): boolean {
  return major > 8 || (major === 8 && minor >= 2);
}

/** What one QEMU may take of the host, its machine's memory included. */
export function processMemoryBytes(shape: Pick<MachineShape, "memoryBytes">): number {
  return machineMemoryBytes(shape) + TRANSLATED_MIB * MIB + QEMU_BYTES;
}

export type MachinePurpose = "template" | "copy";

/**
 * QEMU's whole command line but for the program (docs/machines.md says why each of it). Template and copy differ only in who may
 * see what is written to memory, and in that a copy waits for its state. Paths are those of start-guest.sh's root.
 */
export function machineArguments(
  { accelerator, memoryBytes }: Pick<MachineShape, "accelerator" | "memoryBytes">,
  { major, minor }: Pick<QemuProgram, "major" | "minor">,
  purpose: MachinePurpose,
): string[] {
  const sizeBytes = machineMemoryBytes({ memoryBytes });
  const opened = opensReadOnly({ major, minor }) ? ",rom=off,readonly=on" : "";
  const sharing = purpose === "copy" ? `,share=off${opened}` : ",share=on";
  const memory = `memory-backend-file,id=mem,size=${sizeBytes},mem-path=/machine/ram${sharing}`;
  return [
    processor(accelerator),
    ["-m", `${sizeBytes / MIB}M`, "-object", memory],
    ["-machine", [`pc-q35-${major}.${minor}`, ...WITHOUT, "memory-backend=mem"].join(",")],
    kernel(accelerator, KERNEL_COMMAND_LINE),
    // What the kernel says is kept in memory, and asked for when a start fails.
    ["-chardev", "ringbuf,id=console,size=65536", "-serial", "chardev:console"],
    ["-drive", "if=none,id=image,file=/machine/image,format=raw,readonly=on"],
    ["-device", "virtio-blk-pci,drive=image"],
    // A disk of one guest's life: nothing need be on it before it is read.
    ["-drive", "if=none,id=scratch,file=/machine/scratch,format=raw,cache=unsafe,discard=unmap"],
    ["-device", "virtio-blk-pci,drive=scratch"],
    ["-device", "virtio-serial-pci"],
    ["-chardev", "socket,id=agent,path=/sockets/agent.sock"],
    ["-device", "virtserialport,chardev=agent,name=agent"],
    ["-object", "rng-random,id=random,filename=/dev/urandom"],
    ["-device", "virtio-rng-pci,rng=random", "-device", "vmgenid,guid=auto,id=generation"],
    // The network namespace around it has the relay to the attempt's index, and nothing else.
    [
      "-netdev",
      "user,id=net,ipv6=off",
      "-device",
      "virtio-net-pci,netdev=net,romfile=,guest_announce=off",
    ],
    ["-chardev", "socket,id=control,path=/sockets/qmp.sock"],
    ["-mon", "chardev=control,mode=control"],
    SANDBOX,
    // A template whose kernel ends stays, and can be asked what that said last.
    purpose === "copy" ? ["-incoming", "defer"] : ["-action", "shutdown=pause"],
  ].flat();
}

/** A machine that does nothing but boot, says so on standard output, and ends. */
export function probeArguments(
  accelerator: MachineShape["accelerator"],
  { major, minor }: Pick<QemuProgram, "major" | "minor">,
): string[] {
  return [
    processor(accelerator),
    ["-m", `${PROBE_MIB}M`, "-machine", [`pc-q35-${major}.${minor}`, ...WITHOUT].join(",")],
    kernel(accelerator, `${KERNEL_COMMAND_LINE} creamery.probe`),
    ["-serial", "stdio", "-monitor", "none"],
    SANDBOX,
  ].flat();
}

/** Memory that the host must have for a probe. */
export const PROBE_BYTES = (PROBE_MIB + TRANSLATED_MIB) * MIB + QEMU_BYTES;

function processor(accelerator: MachineShape["accelerator"]): string[] {
  return [
    ["-accel", accelerator === "tcg" ? `tcg,tb-size=${TRANSLATED_MIB}` : "kvm"],
    // Emulated, each step of a page walk is work: four levels are enough.
    ["-cpu", accelerator === "tcg" ? "max,la57=off" : "host", "-smp", "1"],
    ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
  ].flat();
}

function kernel(accelerator: MachineShape["accelerator"], commandLine: string): string[] {
  return [
    ["-kernel", "/machine/vmlinuz", "-initrd", "/machine/initrd"],
    ["-append", accelerator === "tcg" ? `${commandLine} ${EMULATED}` : commandLine],
  ].flat();
}
