/**
 * Random numbers from 0 to 1 that a seed repeats (mulberry32, Tommy Ettinger): for simulations, for nothing that must not be guessed.
 * @param seed its lower 32 bits count.
 */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A seed of its own for each name (FNV-1a). */
export function seedOf(name: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const char of name) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash;
}

/** A standard normal number (Box and Muller 1958). */
export function normal(random: () => number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}

/** Until the next of what happens `rate` times in a unit of time; never where the rate is 0. */
export function exponential(random: () => number, rate: number): number {
  return rate <= 0 ? Infinity : -Math.log(1 - random()) / rate;
}

/** 1 and more, `mean` on average: each one more is as likely as the last. */
export function geometric(random: () => number, mean: number): number {
  if (mean <= 1) return 1;
  return 1 + Math.floor(Math.log(1 - random()) / Math.log(1 - 1 / mean));
}
