/** Is given a command's exit code when it has ended. */
export type Finish = (code: number) => void;

export const CONFIG = ["--config <file>", "in place of the clone's creamery.toml"] as const;
