import fc from "fast-check";
import { z } from "zod";

/** Requests and checks that are made of an OpenAPI document, for a fuzzer: it knows no more of the API than anybody does. */

const SchemaShape = z.record(z.string(), z.unknown());
type Schema = z.infer<typeof SchemaShape>;

const OperationShape = z.object({
  operationId: z.string(),
  parameters: z
    .array(
      z.object({
        name: z.string(),
        in: z.enum(["path", "query", "header"]),
        required: z.boolean().default(false),
        schema: SchemaShape,
      }),
    )
    .default([]),
  requestBody: z
    .object({ content: z.object({ "application/json": z.object({ schema: SchemaShape }) }) })
    .optional(),
  responses: z.record(
    z.string(),
    z.object({
      content: z.record(z.string(), z.object({ schema: SchemaShape.optional() })).optional(),
    }),
  ),
});
const DocumentShape = z.object({
  paths: z.record(z.string(), z.record(z.string(), OperationShape)),
  components: z.object({ schemas: z.record(z.string(), SchemaShape) }),
});

export interface DescribedOperation {
  readonly method: string;
  readonly path: string;
  readonly operation: z.infer<typeof OperationShape>;
}

/** Words by the names of the parameters that they fit. */
export type Known = Readonly<Record<string, readonly string[]>>;

export interface MadeRequest {
  readonly described: DescribedOperation;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export class OpenApiDocument {
  readonly operations: readonly DescribedOperation[];
  readonly #schemas: Readonly<Record<string, Schema>>;
  readonly #checks = new Map<string, z.ZodType>();

  constructor(given: unknown) {
    const { paths, components } = DocumentShape.parse(given);
    this.#schemas = components.schemas;
    this.operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
    );
  }

  /** A request of any operation, right or broken. @param known what means something to this farm, by the names of parameters. */
  requests(known: Known): fc.Arbitrary<MadeRequest> {
    return fc
      .constantFrom(...this.operations)
      .chain((described) => this.#request(described, known));
  }

  /** What is wrong with an answer by its description; null where nothing is. */
  async fault({ operation }: DescribedOperation, answer: Response): Promise<string | null> {
    const status = String(answer.status);
    const told = operation.responses[status];
    if (told === undefined) return `status ${status} is not described`;
    const type = (answer.headers.get("content-type") ?? "").split(";")[0] ?? "";
    const schema = told.content?.[type]?.schema;
    if (told.content === undefined) return null;
    if (told.content[type] === undefined) return `${status} comes as ${type}`;
    if (!type.endsWith("json") || schema === undefined) return null;
    const parsed = this.#check(schema).safeParse(await answer.json());
    return parsed.success ? null : `${status}: ${z.prettifyError(parsed.error)}`;
  }

  #check(schema: Schema): z.ZodType {
    const key = JSON.stringify(schema);
    const known = this.#checks.get(key);
    if (known !== undefined) return known;
    const whole = JSON.stringify({ ...schema, $defs: this.#schemas });
    const local: unknown = JSON.parse(whole.replaceAll("#/components/schemas/", "#/$defs/"));
    const made = z.fromJSONSchema(SchemaShape.parse(local));
    this.#checks.set(key, made);
    return made;
  }

  #request(described: DescribedOperation, byName: Known): fc.Arbitrary<MadeRequest> {
    const { operation, path } = described;
    const known = Object.values(byName).flat();
    const values = operation.parameters.map((parameter) =>
      fc.option(this.#text(parameter.schema, byName[parameter.name] ?? [], known), {
        nil: null,
        freq: parameter.in === "path" ? 1000 : 2,
      }),
    );
    const content = operation.requestBody?.content["application/json"].schema;
    return fc
      .record({
        values: fc.tuple(...values),
        extra: fc.option(fc.tuple(word, word), { nil: null, freq: 8 }),
        headers: this.#headers(known),
        type: fc.oneof(
          { weight: 9, arbitrary: fc.constant("application/json") },
          { weight: 1, arbitrary: fc.constantFrom("text/plain", "", "application/jsonp", "*/*") },
        ),
        body: content === undefined ? fc.constant(undefined) : this.#body(content, known),
      })
      .map(({ values: given, extra, headers, type, body }) => {
        let filled = path;
        const query = new URLSearchParams();
        const sent: Record<string, string> = { ...headers };
        operation.parameters.forEach((parameter, place) => {
          const value = given[place] ?? null;
          if (parameter.in === "path")
            filled = filled.replace(`{${parameter.name}}`, () => segment(value ?? ""));
          else if (value === null) return;
          else if (parameter.in === "query") query.append(parameter.name, value);
          else sent[parameter.name] = printable(value);
        });
        if (extra !== null) query.append(...extra);
        if (body !== undefined && type !== "") sent["content-type"] = type;
        return { described, url: `${filled}?${query.toString()}`, headers: sent, body };
      });
  }

  #headers(known: readonly string[]): fc.Arbitrary<Record<string, string>> {
    return fc
      .dictionary(
        fc.constantFrom(
          "if-none-match",
          "if-range",
          "range",
          "last-event-id",
          "accept",
          "x-forwarded-for",
        ),
        fc.oneof(fc.constantFrom("*", "bytes=0-", 'W/"x"', "bytes=5-2,9-", ...known), word),
        { maxKeys: 2 },
      )
      .map((headers) =>
        Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name, printable(value)]),
        ),
      );
  }

  #body(schema: Schema, known: readonly string[]): fc.Arbitrary<string> {
    return fc.oneof(
      { weight: 6, arbitrary: this.#value(schema, known).map((value) => JSON.stringify(value)) },
      { weight: 1, arbitrary: fc.json({ maxDepth: 4 }) },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 200 }) },
      { weight: 1, arbitrary: fc.constantFrom("", "{", "[".repeat(20_000), "null", "\ud800") },
    );
  }

  #text(schema: Schema, likely: readonly string[], known: readonly string[]): fc.Arbitrary<string> {
    return fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...(likely.length === 0 ? known : likely)) },
      { weight: 5, arbitrary: this.#value(schema, known).map(String) },
      { weight: 3, arbitrary: fc.constantFrom("", ...known) },
      { weight: 2, arbitrary: word },
    );
  }

  /** Mostly what the schema allows. */
  #value(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
    const { $ref: reference, enum: words, const: only, anyOf, type, items, properties } = schema;
    if (typeof reference === "string")
      return this.#value(this.#schemas[reference.split("/").at(-1) ?? ""] ?? {}, known);
    if (Array.isArray(words)) return fc.constantFrom(...z.array(z.unknown()).parse(words));
    if (only !== undefined) return fc.constant(only);
    if (anyOf !== undefined)
      return fc.oneof(
        ...z
          .array(SchemaShape)
          .parse(anyOf)
          .map((one) => this.#value(one, known)),
      );
    const types = Array.isArray(type) ? type.map(String) : [String(type)];
    return fc.oneof(
      ...types.map((one): fc.Arbitrary<unknown> => {
        switch (one) {
          case "null":
            return fc.constant(null);
          case "boolean":
            return fc.boolean();
          case "integer":
          case "number":
            return fc.oneof(
              fc.integer({ min: 1, max: 200 }),
              fc.constantFrom(0, -1, 1e21, 0.5, 201, 2 ** 53),
            );
          case "array":
            return fc.array(this.#value(SchemaShape.parse(items ?? {}), known), { maxLength: 4 });
          case "object":
            return this.#object(z.record(z.string(), SchemaShape).parse(properties ?? {}), known);
          default:
            return fc.oneof(fc.constantFrom("", ...known), word);
        }
      }),
    );
  }

  #object(
    properties: Readonly<Record<string, Schema>>,
    known: readonly string[],
  ): fc.Arbitrary<unknown> {
    const values = Object.fromEntries(
      Object.entries(properties).map(([name, schema]) => [name, this.#value(schema, known)]),
    );
    return fc.oneof(
      { weight: 3, arbitrary: fc.record(values) },
      { weight: 1, arbitrary: fc.record(values, { requiredKeys: [] }) },
    );
  }
}

const word = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("..", "%00", "\0", "'", '"', "%", "_", "\\", "2026-11-24T10:00:00Z", "1e400"),
  fc.constantFrom("x".repeat(3000), "é", "\ud800", "-1", "__proto__", "constructor", "null"),
);

function segment(text: string): string {
  const encoded = encodeURIComponent(text.toWellFormed());
  // What a client would never send: a path that its own URL parser makes another of.
  return /^\.{0,2}$/u.test(encoded) ? "x" : encoded;
}

function printable(text: string): string {
  return text.replaceAll(/[^\u0020-\u007e]/gu, "").trim();
}
