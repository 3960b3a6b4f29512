import { CreameryError } from "../base/errors.ts";

/** A part of a file of a tree, as the farm hands it over: a line of these, then so many bytes. */
export interface TreeFrame {
  /** Below the tree, of safe characters alone. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Whether the file was begun by an earlier frame. */
  readonly continues: boolean;
}

/** One name of a path: no file system takes it for another one, and none hides it or gives it a meaning. */
const NAME = "[a-z0-9=][a-z0-9=.-]{0,199}";
const PATH = new RegExp(`^${NAME}(?:/${NAME}){0,15}$`, "u");
const LINE = /^([+=]) (\d{1,15}) (.+)$/u;
const MOST_LINE_BYTES = 4096;

export function isTreePath(path: string): boolean {
  return (
    path.length <= 1024 && PATH.test(path) && !path.split("/").some((name) => name.endsWith("."))
  );
}

/** @throws CreameryError `launcher` for a path that no tree may have. */
export function frameLine({ path, sizeBytes, continues }: TreeFrame): string {
  if (!isTreePath(path))
    throw new CreameryError("launcher", "is no path of a tree", { input: path });
  return `${continues ? "+" : "="} ${sizeBytes} ${path}\n`;
}

/** Takes a stream of frames apart. @throws CreameryError `launcher` for what is none, or ends early. */
export async function readFrames(
  stream: AsyncIterable<Buffer>,
  take: (frame: TreeFrame, chunk: Buffer) => void,
): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let frame: TreeFrame | null = null;
  let left = 0;
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      if (frame === null) {
        const end = rest.indexOf(10);
        if (end < 0 && rest.length < MOST_LINE_BYTES) break;
        frame = frameOf(rest.toString("latin1", 0, Math.max(0, end)));
        left = frame.sizeBytes;
        rest = rest.subarray(end + 1);
      }
      const part = rest.subarray(0, left);
      take(frame, part);
      rest = rest.subarray(part.length);
      left -= part.length;
      if (left > 0) break;
      frame = null;
    }
  }
  if (frame !== null || rest.length > 0)
    throw new CreameryError("launcher", "what is to be written is cut off");
}

function frameOf(line: string): TreeFrame {
  const [, sign = "", size = "", path = ""] = LINE.exec(line) ?? [];
  if (sign === "" || !isTreePath(path))
    throw new CreameryError("launcher", "what is to be written is no file of a tree");
  return { path, sizeBytes: Number(size), continues: sign === "+" };
}
