/** By what archives begin. */
const MAGIC: readonly (readonly [RegExp, readonly string[]])[] = [
  // The second is an archive of nothing.
  [/\.(?:whl|zip|egg)$/iu, ["504b0304", "504b0506"]],
  [/\.(?:tar\.gz|tgz)$/iu, ["1f8b"]],
  [/\.tar\.bz2$/iu, ["425a68"]],
  [/\.tar\.xz$/iu, ["fd377a585a00"]],
];

export const MAGIC_BYTES = 8;

/** Whether a file of this name can begin so; of a name that says nothing, anything can. */
export function beginsAsNamed(filename: string, beginning: Buffer): boolean {
  const found = MAGIC.find(([ends]) => ends.test(filename));
  if (found === undefined) return true;
  const hex = beginning.toString("hex");
  return found[1].some((magic) => hex.startsWith(magic));
}
