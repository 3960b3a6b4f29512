import { findUpstreams, type Upstreams, type UpstreamSettings } from "./upstreams.ts";

/** Upstreams for tests, of a host whose own tools are configured for nothing that is there. */
export function sampleUpstreams(settings: UpstreamSettings): Promise<Upstreams> {
  return findUpstreams({
    settings,
    signal: new AbortController().signal,
    hostIndexes: {
      indexUrl: "http://index.example/",
      extraIndexUrls: [],
      cert: null,
      clientCert: null,
      proxy: null,
      trustedHosts: [],
      netrc: [],
    },
    cratesIndex: null,
  });
}
