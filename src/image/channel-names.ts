/** Names that point to an image: tests run on `stable`; `next` is what was built last. */
export const CHANNELS = ["stable", "next"] as const;
export type Channel = (typeof CHANNELS)[number];
