/** Ms that this process took of the processors for it: on a busy machine much more of a clock's time passes. */
export function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  return process.cpuUsage(before).user / 1000;
}
