import { openIndexService } from "../../src/index/index-service.ts";

export interface OpenedMirror extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** Of the index as it is now. */
  readonly index: string;
  /** Lines of what upstream, or the mirror, did wrong. */
  readonly faults: readonly string[];
}

/** The mirror alone, before one upstream. @param directory its own. */
export async function openMirror(directory: string, upstream: string): Promise<OpenedMirror> {
  await using opened = new AsyncDisposableStack();
  const faults: string[] = [];
  const service = opened.use(
    await openIndexService({
      directory,
      upstreams: {
        indexes: [{ url: upstream, authorization: null, insecure: false }],
        crates: null,
        transport: { ca: undefined, clientCert: undefined, proxy: null, direct: true },
      },
    }),
  );
  const { url: origin } = opened.use(
    await service.serve({
      place: { host: "127.0.0.1", port: 0 },
      onFault: ({ line }) => faults.push(line),
    }),
  );
  const owned = opened.move();
  const dispose = () => owned.disposeAsync();
  return { origin, index: `${origin}/simple/`, faults, [Symbol.asyncDispose]: dispose };
}
