import { STATUS_CODES } from "node:http";

export interface Problem {
  readonly status: number;
  /** Why, and what to do; for a person. */
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error as RFC 9457 has it: the kind is the status itself. */
export function problem({ status, detail, headers = {} }: Problem): Response {
  const body = { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail };
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...headers,
    },
  });
}
