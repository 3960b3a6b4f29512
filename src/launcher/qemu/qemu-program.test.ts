import { describe, expect, it } from "vitest";

import { machineArguments, machineMemoryBytes, probeArguments } from "./machine-arguments.ts";
import { hostProcessor, qemuOf } from "./qemu-program.ts";

const MIB = 1024 * 1024;
const shape = { accelerator: "tcg", memoryBytes: 300 * MIB } as const;

describe("QEMU's version", () => {
  it.each([
    ["QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright", 7, 2],
    ["QEMU emulator version 10.0.3 (Debian 1:10.0.3+ds-0+deb13u1)", 10, 0],
    ["QEMU emulator version 11.0.0", 11, 0],
  ])("is read from %s", (said, major, minor) => {
    expect(qemuOf("/usr/bin/q", said)).toMatchObject({ major, minor });
  });

  it("holds what the distribution adds: a rebuilt one is another program", () => {
    const full = (said: string) => qemuOf("/usr/bin/q", said).full;
    expect(full("QEMU emulator version 7.2.22 (Debian 1:7.2+b3)")).not.toBe(
      full("QEMU emulator version 7.2.22 (Debian 1:7.2+b4)"),
    );
  });

  it.each([
    "QEMU emulator version 5.2.0 (Debian 1:5.2)",
    "QEMU emulator version 7.1.0",
    "nonsense",
  ])("is refused: %s", (said) => {
    expect(() => qemuOf("/usr/bin/q", said)).toThrow("QEMU 7.2 or newer is needed");
  });
});

it("the host's processor is known by what a guest sees of it, not by what it does at the moment", () => {
  const cpu = (flags: string, mhz: string) =>
    `processor\t: 0\nvendor_id\t: X\nmodel\t\t: 1\ncpu MHz\t\t: ${mhz}\nflags\t\t: ${flags}\n\nprocessor\t: 1\n`;
  expect(hostProcessor(cpu("sse avx", "1000"))).toBe(hostProcessor(cpu("sse avx", "2400")));
  expect(hostProcessor(cpu("sse avx", "1000"))).not.toBe(hostProcessor(cpu("sse", "1000")));
});

describe("QEMU's command line", () => {
  it("differs between template and copy in who sees what is written, in waiting for a state, and in staying after the end", () => {
    const qemu = { major: 7, minor: 2 };
    const template = machineArguments(shape, qemu, "template");
    const copy = machineArguments(shape, qemu, "copy");
    expect(copy.filter((word) => !template.includes(word))).toEqual([
      expect.stringMatching(/^memory-backend-file,.*,share=off$/u),
      "-incoming",
      "defer",
    ]);
    expect(template.filter((word) => !copy.includes(word))).toEqual([
      expect.stringMatching(/^memory-backend-file,.*,share=on$/u),
      "-action",
      "shutdown=pause",
    ]);
  });

  it("names the machine by QEMU's own version, so that no newer one changes it", () => {
    const machine = (words: readonly string[]) => words[words.indexOf("-machine") + 1];
    expect(machine(machineArguments(shape, { major: 10, minor: 0 }, "copy"))).toMatch(
      /^pc-q35-10\.0,(?:\w+=off,)*memory-backend=mem$/u,
    );
  });

  it("opens the template's memory for reading only where QEMU can", () => {
    const memory = (major: number, minor: number) =>
      machineArguments(shape, { major, minor }, "copy").find((word) => word.includes("mem-path"));
    expect(memory(8, 1)).not.toContain("readonly");
    for (const [major, minor] of [
      [8, 2],
      [9, 0],
      [10, 0],
    ] as const)
      expect(memory(major, minor)).toContain("share=off,rom=off,readonly=on");
  });

  it("lets no part of QEMU start a program or take power", () => {
    for (const words of [
      machineArguments(shape, { major: 7, minor: 2 }, "copy"),
      probeArguments("kvm", { major: 7, minor: 2 }),
    ])
      expect(words[words.indexOf("-sandbox") + 1]).toContain("elevateprivileges=deny,spawn=deny");
  });

  it("has memory in whole huge pages, and more of it than the job may use", () => {
    const bytes = machineMemoryBytes(shape);
    expect(bytes % (2 * MIB)).toBe(0);
    expect(bytes).toBeGreaterThan(shape.memoryBytes + 256 * MIB);
  });
});
