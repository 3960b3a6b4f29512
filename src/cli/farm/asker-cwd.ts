/** Where the person who asked typed the command: relative paths begin there. */
export function askerCwd(env: NodeJS.ProcessEnv = process.env): string {
  return env["CREAMERY_ASKER_CWD"] ?? "/";
}
