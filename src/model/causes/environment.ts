import type { RefusedEvidence } from "../evidence.ts";
import { anyGroup, causeOf, type TextRule } from "./find.ts";
import type { Cause } from "../attempt.ts";

/** What a failure says of the world that it wanted around it, more special first. */
export const ENVIRONMENT_RULES: readonly TextRule[] = [
  {
    kind: "needs-gpu",
    pattern:
      /libcuda\.so|libcudart|libnvidia|no CUDA-capable device|CUDA driver (?:version is insufficient|initialization failed|library cannot be found)|Found no NVIDIA driver|No CUDA GPUs are available|CUDA_ERROR_NO_DEVICE|No (?:OpenCL|Vulkan) (?:platforms?|devices?)|clGetPlatformIDs failed/i,
  },
  {
    kind: "needs-display",
    pattern:
      /no display name and no \$DISPLAY|couldn't connect to display|cannot (?:open|connect to) (?:X )?(?:display|X server)|could not connect to (?:any X )?display|No available video device|Unable to open display|DISPLAY environment variable|could not load the Qt platform plugin|Gtk couldn't be initialized|wl_display_connect|DisplayConnectionError|NoSuchDisplayException/i,
  },
  {
    kind: "needs-service",
    pattern:
      /connection to server (?:at|on) [^\n]{0,500}(?:refused|No such file)|could not connect to server: [^\n]{0,500}(?:refused|No such file)|Can't connect to (?:local )?(?:MySQL|MariaDB) server|Error (?:99|111) connecting to [^\n]{0,300}:\d|ServerSelectionTimeoutError|NoBrokersAvailable|(?:connect to|fetching server API version|Is) the [Dd]ocker daemon|docker\.sock|AMQPConnectionError|(?:localhost|127\.0\.0\.1|::1)\D{0,8}(?:5432|3306|6379|27017|5672|9200|11211|9092|2181|1521|1433)\b[^\n]{0,200}(?:refused|Errno 111)/,
  },
  {
    kind: "needs-network",
    pattern:
      /Temporary failure in name resolution|Name or service not known|nodename nor servname|No address associated with hostname|Network is unreachable|No route to host|gaierror|getaddrinfo failed|NameResolutionError|Failed to resolve '|Could not resolve host|ENETUNREACH|ConnectError: \[Errno -[235]\]|UnknownHostError|DNS (?:lookup|resolution) failed|NXDOMAIN/i,
  },
];

/** The environment that a failing test's message asks for; null when it asks for none. */
export function environmentCause(
  message: string,
  refused: readonly RefusedEvidence[],
): Cause | null {
  for (const rule of ENVIRONMENT_RULES) {
    if (rule.pattern.test(message)) return causeOf(rule.kind);
  }
  // A library may word it in its own way; that it names what was refused is as good.
  const named = refused.some(({ target }) => {
    const host = target.replace(/:\d+$/, "");
    return host.length >= 4 && !isLoopback(host) && message.includes(host);
  });
  return named ? causeOf("needs-network") : null;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host.startsWith("127.") || host === "::1" || host === "[::1]";
}

export const MISSING_SHARED_LIBRARY =
  /(?<![\w.+-])(lib[\w.+-]{1,150}?\.so[\w.]{0,40}): cannot open shared object file/;

/** A shared library that the image does not have. */
export function missingSharedLibrary(text: string): Cause | null {
  const match = MISSING_SHARED_LIBRARY.exec(text);
  return match === null ? null : causeOf("missing-system-library", anyGroup(match));
}
