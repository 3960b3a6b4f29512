const CLASSES = [
  [/^\/(?:healthz|readyz)$/u, "health"],
  [/^\/metrics$/u, "metrics"],
  [/^\/hooks\//u, "hooks"],
  [/^\/api\/v1\/worker\/claim$/u, "claim"],
  [/^\/api\/v1\/worker\/images\//u, "images"],
  [/^\/api\/v1\/worker\/(?:attempts\/[^/]+\/assets|sources)(?:\/|$)/u, "assets"],
  [/^\/api\/v1\/worker\//u, "worker"],
  [/^\/api\/v1\/index\//u, "index"],
  [/^\/api\//u, "api"],
] as const;

/** What a path is for, as few words as a metric can have; `pages` for all that a browser reads. */
export function routeClassOf(path: string): string {
  return CLASSES.find(([pattern]) => pattern.test(path))?.[1] ?? "pages";
}
