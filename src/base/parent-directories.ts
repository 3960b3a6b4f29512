/** All directories that hold one of these paths, relative and `/`-separated: `a` and `a/b` of `a/b/c.py`. */
export function parentDirectories(paths: Iterable<string>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const path of paths) {
    let at = path.lastIndexOf("/");
    // What is known has its own parents there already.
    while (at > 0) {
      const parent = path.slice(0, at);
      if (found.has(parent)) break;
      found.add(parent);
      at = parent.lastIndexOf("/");
    }
  }
  return found;
}
