import { normaliseName } from "./names.ts";
import { parseSpecifier, satisfies } from "./specifiers.ts";
import { parseVersion } from "./versions.ts";

/** Environment markers (PEP 508, PEP 685): a small recursive-descent parser and its evaluation. */

export type Marker =
  | { readonly kind: "and" | "or"; readonly left: Marker; readonly right: Marker }
  | {
      readonly kind: "compare";
      readonly left: MarkerOperand;
      readonly operator: string;
      readonly right: MarkerOperand;
    };

export type MarkerOperand =
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "text"; readonly value: string };

/** Values of the marker variables; `extra` is added at evaluation. */
export type MarkerEnvironment = Readonly<Record<string, string>>;

export const MARKER_VARIABLES = [
  "python_version",
  "python_full_version",
  "os_name",
  "sys_platform",
  "platform_release",
  "platform_system",
  "platform_version",
  "platform_machine",
  "platform_python_implementation",
  "implementation_name",
  "implementation_version",
  "extra",
] as const;

const MAX_NESTING = 50;
const TOKEN =
  /\s*(?:(\()|(\))|('[^']*'|"[^"]*")|(===|==|~=|!=|<=|>=|<|>)|(python_implementation|[a-z]+(?:[._][a-z]+)*)\b)/y;
const ALIASES: Readonly<Record<string, string>> = {
  "os.name": "os_name",
  "sys.platform": "sys_platform",
  "platform.version": "platform_version",
  "platform.machine": "platform_machine",
  "platform.python_implementation": "platform_python_implementation",
  python_implementation: "platform_python_implementation",
};
const VERSION_VARIABLES = new Set([
  "python_version",
  "python_full_version",
  "implementation_version",
  "platform_release",
]);

type Token = { readonly kind: "(" | ")" | "text" | "operator" | "word"; readonly value: string };

/** The marker, or null when the text is none. */
export function parseMarker(text: string): Marker | null {
  const tokens = tokenise(text);
  if (tokens === null) return null;
  const reader = new Reader(tokens);
  const marker = reader.or(0);
  return marker === null || !reader.done ? null : marker;
}

function tokenise(text: string): readonly Token[] | null {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const match = TOKEN.exec(text);
    if (match === null) return null;
    const [, open, close, quoted, operator, word] = match;
    if (open !== undefined) tokens.push({ kind: "(", value: open });
    else if (close !== undefined) tokens.push({ kind: ")", value: close });
    else if (quoted !== undefined) tokens.push({ kind: "text", value: quoted.slice(1, -1) });
    else if (operator !== undefined) tokens.push({ kind: "operator", value: operator });
    else tokens.push({ kind: "word", value: word ?? "" });
  }
  return tokens;
}

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get done(): boolean {
    return this.#at === this.#tokens.length;
  }

  or(depth: number): Marker | null {
    return this.#chain("or", () => this.#chain("and", () => this.#atom(depth)));
  }

  #chain(kind: "and" | "or", next: () => Marker | null): Marker | null {
    let left = next();
    while (left !== null && this.#isWord(kind)) {
      this.#at++;
      const right = next();
      left = right === null ? null : { kind, left, right };
    }
    return left;
  }

  #atom(depth: number): Marker | null {
    if (depth > MAX_NESTING) return null;
    if (this.#tokens[this.#at]?.kind === "(") {
      this.#at++;
      const inner = this.or(depth + 1);
      if (this.#tokens[this.#at++]?.kind !== ")") return null;
      return inner;
    }
    const left = this.#operand();
    const operator = this.#operator();
    const right = this.#operand();
    if (left === null || operator === null || right === null) return null;
    if (left.kind === "text" && right.kind === "text") return null;
    return { kind: "compare", left, operator, right };
  }

  #operand(): MarkerOperand | null {
    const token = this.#tokens[this.#at++];
    if (token?.kind === "text") return { kind: "text", value: token.value };
    if (token?.kind !== "word") return null;
    const name = ALIASES[token.value] ?? token.value;
    return MARKER_VARIABLES.some((known) => known === name) ? { kind: "variable", name } : null;
  }

  #operator(): string | null {
    const token = this.#tokens[this.#at++];
    if (token?.kind === "operator") return token.value;
    if (token?.kind !== "word") return null;
    if (token.value === "in") return "in";
    if (token.value !== "not" || !this.#isWord("in")) return null;
    this.#at++;
    return "not in";
  }

  #isWord(word: string): boolean {
    const token = this.#tokens[this.#at];
    return token?.kind === "word" && token.value === word;
  }
}

/** Does the marker hold there? `extras` are the extras asked for; an unknown variable reads as the empty text. */
export function evaluateMarker(
  marker: Marker,
  environment: MarkerEnvironment,
  extras: readonly string[] = [],
): boolean {
  const asked = extras.length === 0 ? [""] : extras.map(normaliseName);
  return asked.some((extra) => evaluate(marker, { ...environment, extra }));
}

function evaluate(marker: Marker, environment: MarkerEnvironment): boolean {
  switch (marker.kind) {
    case "and":
      return evaluate(marker.left, environment) && evaluate(marker.right, environment);
    case "or":
      return evaluate(marker.left, environment) || evaluate(marker.right, environment);
    case "compare": {
      const { left, right } = marker;
      const variable =
        left.kind === "variable" ? left.name : right.kind === "variable" ? right.name : "";
      const value = (operand: MarkerOperand): string => {
        if (operand.kind === "variable") return environment[operand.name] ?? "";
        return variable === "extra" ? normaliseName(operand.value) : operand.value;
      };
      return compare(value(left), marker.operator, value(right), VERSION_VARIABLES.has(variable));
    }
  }
}

function compare(left: string, operator: string, right: string, asVersions: boolean): boolean {
  if (operator === "in") return right.includes(left);
  if (operator === "not in") return !right.includes(left);
  const specifier = asVersions ? parseSpecifier(`${operator}${right}`) : null;
  if (specifier !== null) {
    const version = parseVersion(left);
    if (version !== null) return satisfies(version, [specifier], left);
    return specifier.operator === "===" && left.toLowerCase() === specifier.text.toLowerCase();
  }
  switch (operator) {
    case "==":
    case "<=":
    case ">=":
      return left === right;
    case "!=":
      return left !== right;
    default:
      return false;
  }
}
