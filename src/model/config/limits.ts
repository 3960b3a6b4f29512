import { z } from "zod";

/** Bounds of one attempt; the machine kind's slowness multiplies those of wall time, silence and CPU time. */
export interface Limits {
  readonly installMs: number;
  readonly buildMs: number;
  readonly testMs: number;
  readonly silenceMs: number;
  readonly outputBytes: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly pids: number;
  readonly cpuSeconds: number;
}

const MINUTE_MS = 60_000;
const MIB = 1024 * 1024;

export const DEFAULT_LIMITS: Limits = {
  installMs: 5 * MINUTE_MS,
  buildMs: 15 * MINUTE_MS,
  testMs: 10 * MINUTE_MS,
  silenceMs: 5 * MINUTE_MS,
  outputBytes: 64 * MIB,
  memoryBytes: 2048 * MIB,
  diskBytes: 4096 * MIB,
  pids: 512,
  cpuSeconds: 60 * 60,
};

const minutes = z
  .number()
  .positive()
  .max(24 * 60);

/** `[limits]`, in units that people say: minutes, MiB, processes. */
export const LimitsTable = z.strictObject({
  install_minutes: minutes.optional(),
  build_minutes: minutes.optional(),
  test_minutes: minutes.optional(),
  silence_minutes: minutes.optional(),
  cpu_minutes: minutes.optional(),
  output_mib: z.number().positive().max(16_384).optional(),
  memory_mib: z.number().int().min(64).max(4_194_304).optional(),
  disk_mib: z.number().int().min(64).max(4_194_304).optional(),
  pids: z.number().int().min(16).max(100_000).optional(),
});
export type LimitsTable = z.infer<typeof LimitsTable>;

/** `base` with what the table says in place. */
export function withLimits(base: Limits, table: LimitsTable): Limits {
  const scaled = (value: number | undefined, factor: number, otherwise: number) =>
    value === undefined ? otherwise : Math.round(value * factor);
  return {
    installMs: scaled(table.install_minutes, MINUTE_MS, base.installMs),
    buildMs: scaled(table.build_minutes, MINUTE_MS, base.buildMs),
    testMs: scaled(table.test_minutes, MINUTE_MS, base.testMs),
    silenceMs: scaled(table.silence_minutes, MINUTE_MS, base.silenceMs),
    cpuSeconds: scaled(table.cpu_minutes, 60, base.cpuSeconds),
    outputBytes: scaled(table.output_mib, MIB, base.outputBytes),
    memoryBytes: scaled(table.memory_mib, MIB, base.memoryBytes),
    diskBytes: scaled(table.disk_mib, MIB, base.diskBytes),
    pids: scaled(table.pids, 1, base.pids),
  };
}

/** The smaller of each: what a project asks for never raises what the operator allows. */
export function lowerLimits(allowed: Limits, asked: Limits): Limits {
  return {
    installMs: Math.min(allowed.installMs, asked.installMs),
    buildMs: Math.min(allowed.buildMs, asked.buildMs),
    testMs: Math.min(allowed.testMs, asked.testMs),
    silenceMs: Math.min(allowed.silenceMs, asked.silenceMs),
    cpuSeconds: Math.min(allowed.cpuSeconds, asked.cpuSeconds),
    outputBytes: Math.min(allowed.outputBytes, asked.outputBytes),
    memoryBytes: Math.min(allowed.memoryBytes, asked.memoryBytes),
    diskBytes: Math.min(allowed.diskBytes, asked.diskBytes),
    pids: Math.min(allowed.pids, asked.pids),
  };
}
