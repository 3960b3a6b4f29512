import { z } from "zod";
import { CreameryError } from "../../base/errors.ts";
import { snapshotFactsShape } from "../../launcher/protocol.ts";
import type { MarkScope } from "../machine.ts";

/** Raised when frames or messages change so that an older agent or host would misread them. */
export const PROTOCOL_VERSION = 1;

const path = z.string().max(8192);
const count = z.number().int().nonnegative();

export const helloSchema = z.object({
  op: z.literal("hello"),
  protocol: z.number().int(),
  agent: z.string().regex(/^[0-9a-z.+-]{1,40}$/u),
  nonce: z.string().max(256),
});

/** Of a virtual machine when it is ready to be copied: how long its start took, and what running each program once saves. */
export const warmSchema = z.object({
  op: z.literal("warm"),
  ...snapshotFactsShape,
});

/** What a guest's own kernel counted. */
const counts = z.object({
  op: z.literal("counters"),
  memoryPeakBytes: count,
  oomKills: count,
  pidsRefused: count,
  /** The disk was full once, whatever was removed since. */
  diskFull: z.boolean(),
});
export type GuestCounts = Readonly<Omit<z.infer<typeof counts>, "op">>;

/** All that an agent may answer, whatever it was asked. */
const replySchema = z.discriminatedUnion("op", [
  z.object({
    op: z.literal("ended"),
    code: z.number().int().min(0).max(255).nullable(),
    signal: z.number().int().min(1).max(64).nullable(),
    limit: z.enum(["timeout", "silent", "log-size"]).nullable(),
    seconds: z.number().nonnegative(),
    outputBytes: count,
    eventsCut: z.boolean(),
  }),
  z.object({ op: z.literal("done"), exists: z.boolean().optional() }),
  z.object({
    op: z.literal("difference"),
    added: z.array(path),
    changed: z.array(path),
    removed: z.array(path),
    truncated: z.boolean(),
  }),
  z.object({
    op: z.literal("refused"),
    connections: z
      .array(
        z.object({ target: z.string().max(300), kind: z.enum(["dns", "connect"]), count: count }),
      )
      .max(2000),
  }),
  z.object({
    op: z.literal("disk"),
    /** Bytes of a block, blocks, free blocks. */
    filesystems: z.array(z.tuple([count, count, count])).max(100),
  }),
  counts,
  z.object({ op: z.literal("failed"), reason: z.string().max(2000) }),
]);
export type Reply = z.infer<typeof replySchema>;

/** @throws CreameryError `channel` for what is no JSON, or no message of the protocol. */
export function parseMessage<Schema extends z.ZodType>(
  payload: Buffer,
  schema: Schema,
): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString("utf8"));
  } catch (error) {
    throw new CreameryError("channel", "the guest sent a message that is no JSON", {
      cause: error,
    });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new CreameryError("channel", "the guest sent a message that is not of the protocol", {
      cause: parsed.error,
    });
  }
  return parsed.data;
}

export function parseReply(payload: Buffer): Reply {
  return parseMessage(payload, replySchema);
}

/** Limits of one process and its children inside the guest; what is left out stays as the runtime set it. */
export interface ProcessLimits {
  /** Processes of the job's user together. */
  readonly processes?: number;
  readonly coreBytes?: number;
  readonly fileBytes?: number;
  readonly openFiles?: number;
}

export type AgentRequest =
  | {
      readonly op: "exec";
      readonly argv: readonly string[];
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
      readonly user: "root" | "job";
      readonly wallMs: number;
      readonly silenceMs: number;
      readonly outputBytes: number;
      readonly events: boolean;
      readonly dumpStacks: boolean;
      readonly rlimits: ProcessLimits;
    }
  | { readonly op: "counters" | "kill" | "refused" | "stop" }
  | { readonly op: "disk"; readonly paths: readonly string[] }
  | {
      readonly op: "put";
      readonly path: string;
      readonly mode: number;
      readonly owner: "root" | "job";
    }
  | { readonly op: "get"; readonly path: string; readonly maxBytes: number }
  | { readonly op: "mark"; readonly name: string; readonly scope: MarkScope }
  | { readonly op: "difference"; readonly name: string };
