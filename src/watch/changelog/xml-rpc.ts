import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { shownUrl } from "../../index/upstream/secret.ts";
import { askUpstream, type WatchedIndex } from "../ask-upstream.ts";
import { readXml, xmlChild, xmlList, xmlText, type XmlValue } from "../read-xml.ts";
import { RetryLater } from "../retry-later.ts";

/** The two questions of an index's XML-RPC that are asked: which serial is the last, and what came after one. */

export interface ChangelogRow {
  /** As the index writes it. */
  readonly project: string;
  readonly version: string | null;
  /** Seconds since 1970; it can run backwards. */
  readonly timestamp: number;
  readonly action: string;
  readonly serial: number;
}

export interface RpcOptions {
  readonly index: WatchedIndex;
  readonly url: string;
  readonly now: number;
  readonly signal: AbortSignal;
}

export interface ChangelogAnswer {
  readonly rows: readonly ChangelogRow[];
  /** Rows, those that can't be read too. */
  readonly count: number;
}

/** Fifty thousand rows are about 20 MB. */
const MAX_BYTES = 64 << 20;
/** What a public index answers to who asks too often. */
const THROTTLED = -32_500;
const TOO_OFTEN_MS = 30_000;

/** @throws RetryLater when it is asked too often; CreameryError as `askUpstream`, and `upstream` for what is no answer. */
export async function lastSerial(options: RpcOptions): Promise<number> {
  const serial = scalar(await call("changelog_last_serial", null, options));
  const number = integer(serial);
  if (number === null) throw fault(options, "answers changelog_last_serial with no number");
  return number;
}

/** Rows whose serial is higher, by serial. @throws as `lastSerial`. */
export async function rowsSince(serial: number, options: RpcOptions): Promise<ChangelogAnswer> {
  const value = await call("changelog_since_serial", serial, options);
  const cells = listOf(value);
  if (cells === null) throw fault(options, "answers changelog_since_serial with no list");
  const rows = cells.flatMap((cell) => {
    const row = readRow(cell);
    return row === null ? [] : [row];
  });
  // An index that writes rows otherwise would be watched and never heard.
  if (rows.length === 0 && cells.length > 0)
    throw fault(options, "answers changelog_since_serial with rows that can't be read");
  return {
    rows: rows.toSorted((left, right) => left.serial - right.serial),
    count: cells.length,
  };
}

async function call(
  method: string,
  parameter: number | null,
  options: RpcOptions,
): Promise<XmlValue> {
  const { index, url, now, signal } = options;
  const params =
    parameter === null
      ? "<params/>"
      : `<params><param><value><int>${parameter}</int></value></param></params>`;
  const answer = await askUpstream(index, {
    url,
    method: "POST",
    body: `<?xml version="1.0"?>\n<methodCall><methodName>${method}</methodName>${params}</methodCall>\n`,
    accept: "text/xml",
    maxBytes: MAX_BYTES,
    now,
    signal,
  });
  if (answer.kind !== "body")
    throw fault(
      options,
      answer.kind === "refused" ? `answers ${answer.status}` : "knows no XML-RPC",
    );
  const response = xmlChild(
    readXml(answer.body, ["value", "member"], shownUrl(url)),
    "methodResponse",
  );
  const failed = xmlChild(response, "fault");
  if (failed !== undefined) throw rpcFault(failed, options);
  return xmlList(xmlChild(xmlChild(response, "params"), "param"), "value")[0];
}

function rpcFault(failed: XmlValue, options: RpcOptions): CreameryError {
  const struct = xmlChild(xmlList(failed, "value")[0], "struct");
  const member = (name: string): string | number | null => {
    const members = xmlList(struct, "member");
    const found = members.find((one) => xmlText(xmlChild(one, "name")) === name);
    return scalar(xmlList(found, "value")[0]);
  };
  const said = clip(printableLine(String(member("faultString") ?? "")), 200);
  const reason = `answers with the fault ${member("faultCode") ?? ""}: ${said}`;
  if (integer(member("faultCode")) === THROTTLED || /too many requests/iu.test(said))
    return new RetryLater(reason, TOO_OFTEN_MS, { input: shownUrl(options.url) });
  return fault(options, reason);
}

function fault({ url }: RpcOptions, reason: string): CreameryError {
  return new CreameryError("upstream", reason, { input: shownUrl(url) });
}

/** The values of an array; null for anything else. An empty one is an empty text. */
function listOf(value: XmlValue): readonly XmlValue[] | null {
  const array = xmlChild(value, "array");
  if (array === undefined) return null;
  return xmlList(xmlChild(array, "data"), "value");
}

/** A number, a text, or null for nil and for anything else. */
function scalar(value: XmlValue): string | number | null {
  const bare = xmlText(value);
  if (bare !== null) return bare;
  for (const kind of ["int", "i4", "i8"]) {
    const number = integer(xmlText(xmlChild(value, kind)));
    if (number !== null) return number;
  }
  return xmlText(xmlChild(value, "string"));
}

function integer(value: string | number | null): number | null {
  if (typeof value === "number") return value;
  return value !== null && /^-?\d{1,15}$/u.test(value.trim()) ? Number(value) : null;
}

function readRow(cell: XmlValue): ChangelogRow | null {
  const values = listOf(cell)?.map(scalar);
  if (values?.length !== 5) return null;
  const [project, version, timestamp, action, serial] = values;
  if (typeof project !== "string" || typeof action !== "string") return null;
  if (typeof timestamp !== "number" || typeof serial !== "number" || serial < 0) return null;
  return {
    project,
    version: typeof version === "string" && version !== "" ? version : null,
    timestamp,
    action,
    serial,
  };
}
