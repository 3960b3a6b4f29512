/** Whose file an exception came out of: the release's or its tests', or a dependency's by its top-level name. */
export type Owner =
  | { readonly kind: "own" }
  | { readonly kind: "dependency"; readonly name: string };

/** Frames of what runs the tests say nothing of whose fault it is. */
const RUNNERS = new Set(
  `_pytest pytest py pluggy xdist execnet coverage pytest_cov pytest_asyncio anyio_pytest nose nose2 twisted_trial
   setuptools pip _distutils_hack pkg_resources wheel creamery_pytest creamery_unittest sitecustomize`.split(
    /\s+/,
  ),
);

// `File "x.py", line 3` of Python itself; `x.py:3: in f` and `x.py:3: ValueError` of pytest.
const FRAME =
  /File "([^"\n]{1,1000})", line \d|^(?:E[ \t]{1,20})?([^\s:"'<>][^:\n]{0,1000}\.pyx?):\d{1,9}: /gm;

/** Paths of all frames in a text, outermost first. */
export function framePaths(text: string): string[] {
  return [...text.matchAll(FRAME)].map((match) => match[1] ?? match[2] ?? "");
}

/** The owner of the innermost frame that is neither the standard library's nor the runner's. */
export function innermostOwner(text: string, topLevel: readonly string[]): Owner {
  for (const path of framePaths(text).toReversed()) {
    if (path.startsWith("<")) continue;
    const installed = /[/\\](?:site|dist)-packages[/\\]([^/\\]{1,200})/.exec(path)?.[1];
    if (installed === undefined) {
      if (/\/lib\/(?:python|pypy)\d[^/]{0,40}\//.test(path)) continue;
      return { kind: "own" };
    }
    const name = installed.split(".")[0] ?? installed;
    if (RUNNERS.has(name) || name.startsWith("pytest_")) continue;
    return topLevel.includes(name) ? { kind: "own" } : { kind: "dependency", name };
  }
  return { kind: "own" };
}

const CHAINED =
  /(?:During handling of the above exception, another exception occurred|The above exception was the direct cause of the following exception):?/;

/** A text cut into the exceptions of a chain, with the traceback of each: the last is the one that nobody caught. */
export function exceptionChain(text: string): string[] {
  return text.split(CHAINED);
}
