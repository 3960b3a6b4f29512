/** Where something is changed: forms are sent there, and where it hurts, a page there asks first. */
export type Deed =
  | {
      readonly kind: "deed";
      readonly on: "job";
      readonly of: string;
      readonly deed: "retry" | "cancel";
    }
  | {
      readonly kind: "deed";
      readonly on: "host";
      readonly of: string;
      readonly deed: "drain" | "resume";
    }
  | { readonly kind: "deed"; readonly on: "image"; readonly of: string; readonly deed: "promote" }
  | { readonly kind: "deed"; readonly on: "watched"; readonly of: string; readonly deed: "remove" };

const FOLDERS: Readonly<Record<Deed["on"], string>> = {
  job: "queue",
  host: "hosts",
  image: "images",
  watched: "watched",
};

/** Below the root of the farm. */
export function deedPath({ on, of, deed }: Deed): string {
  return `${FOLDERS[on]}/${encodeURIComponent(of)}/${deed}`;
}
