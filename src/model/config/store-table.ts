import { z } from "zod";

/** Where PostgreSQL keeps the farm's results and queue: `postgres://user:password@host/name`. */
export const POSTGRESQL_URL = /^postgres(?:ql)?:\/\/[^\s]+$/u;

/** `[store]`: where results and the queue are kept. */
export const StoreTable = z
  .strictObject({
    url: z
      .string()
      .max(4096)
      .regex(POSTGRESQL_URL, "is no address of PostgreSQL, as postgres://farm@db.example/creamery")
      .optional(),
    /** A file that holds nothing but the URL: it has a password in it. */
    url_file: z
      .string()
      .max(4096)
      .refine((text) => text.startsWith("/"), "is no absolute path")
      .optional(),
  })
  .refine(({ url, url_file: file }) => url === undefined || file === undefined, {
    path: ["url_file"],
    message: "is there, and url too: which of them?",
  });
export type StoreTable = z.infer<typeof StoreTable>;
