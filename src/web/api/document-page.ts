import { z } from "zod";

/** A page that shows an OpenAPI document: no script, nothing from elsewhere. */

const Schema = z.record(z.string(), z.unknown());
const Content = z.record(z.string(), z.object({ schema: Schema.optional() }));
const Operation = z.object({
  operationId: z.string(),
  summary: z.string().default(""),
  description: z.string().default(""),
  tags: z.array(z.string()).default([]),
  parameters: z
    .array(
      z.object({
        name: z.string(),
        in: z.string(),
        required: z.boolean().default(false),
        description: z.string().optional(),
        schema: Schema.default({}),
      }),
    )
    .default([]),
  requestBody: z.object({ content: Content }).optional(),
  responses: z.record(
    z.string(),
    z.object({ description: z.string(), content: Content.optional() }),
  ),
});
const Document = z.object({
  info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
  servers: z.array(z.object({ url: z.string() })),
  tags: z.array(z.object({ name: z.string(), description: z.string() })),
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({ schemas: z.record(z.string(), Schema).default({}) }),
});
type Operation = z.infer<typeof Operation>;
type Document = z.infer<typeof Document>;

export const PAGE_STYLE = `
:root{color-scheme:light dark;--line:#8886;--soft:#8882;--accent:#0a6e8a}
@media(prefers-color-scheme:dark){:root{--accent:#6cc7e2}}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
a{color:var(--accent)}
code,pre{font:0.875rem/1.5 ui-monospace,monospace}
code{overflow-wrap:anywhere}
pre{background:var(--soft);overflow-x:auto;padding:.75rem}
details{border:1px solid var(--line);border-radius:.25rem;margin:.5rem 0}
summary{cursor:pointer;padding:.5rem .75rem}
details>div{padding:0 .75rem .75rem}
.method{display:inline-block;font-weight:600;min-width:4ch;text-transform:uppercase}
table{border-collapse:collapse;width:100%}
td,th{border-top:1px solid var(--line);padding:.25rem .5rem .25rem 0;text-align:left;vertical-align:top}
`;

/** @param given an OpenAPI 3.1 document as `farmApi` makes it. */
export function documentPage(given: unknown): string {
  const document = Document.parse(given);
  const { info, tags, servers } = document;
  const base = servers[0]?.url ?? "";
  const rooms = tags
    .map(({ name, description }) => {
      const operations = operationsOf(document, name);
      if (operations.length === 0) return "";
      const shown = operations.map(({ method, path, operation }) =>
        operationOf(method, `${base}${path}`, operation),
      );
      return `<section><h2 id="${text(name)}">${text(name)}</h2><p>${text(description)}</p>${shown.join("")}</section>`;
    })
    .join("");
  const schemas = Object.entries(document.components.schemas)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(
      ([name, schema]) =>
        `<details id="schema-${text(name)}"><summary><code>${text(name)}</code></summary><div><pre>${json(schema)}</pre></div></details>`,
    )
    .join("");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(info.title)} API ${text(info.version)}</title><style>${PAGE_STYLE}</style></head>
<body><main><h1>${text(info.title)} API</h1>
<p>${text(info.description)}</p>
<p>The same for programs: <a href="${text(base)}/openapi.json">openapi.json</a></p>
${rooms}<section><h2 id="schemas">schemas</h2>${schemas}</section></main></body></html>
`;
}

function operationsOf(document: Document, tag: string) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => operation.tags.includes(tag))
      .map(([method, operation]) => ({ method, path, operation })),
  );
}

function operationOf(method: string, path: string, operation: Operation): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const rows = parameters.map(
    (parameter) =>
      `<tr><td><code>${text(parameter.name)}</code></td><td>${text(parameter.in)}${parameter.required ? ", required" : ""}</td><td>${schemaOf(parameter.schema)}</td><td>${text(parameter.description ?? "")}</td></tr>`,
  );
  const table =
    rows.length === 0
      ? ""
      : `<table><thead><tr><th scope="col">parameter</th><th scope="col">in</th><th scope="col">what</th><th scope="col"></th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
  const body = requestBody === undefined ? "" : `<p>Body: ${contentOf(requestBody.content)}</p>`;
  const answers = Object.entries(responses).map(
    ([status, answer]) =>
      `<tr><td>${text(status)}</td><td>${text(answer.description)}</td><td>${contentOf(answer.content ?? {})}</td></tr>`,
  );
  return `<details id="${text(operationId)}"><summary><span class="method">${text(method)}</span> <code>${text(path)}</code> ${text(summary)}</summary><div>
<p>${text(description)}</p>${table}${body}<table><thead><tr><th scope="col">answer</th><th scope="col"></th><th scope="col">what</th></tr></thead><tbody>${answers.join("")}</tbody></table></div></details>`;
}

function contentOf(content: z.infer<typeof Content>): string {
  return Object.entries(content)
    .map(([type, { schema }]) => `<code>${text(type)}</code> ${schemaOf(schema ?? {})}`)
    .join("<br>");
}

function schemaOf(schema: Readonly<Record<string, unknown>>): string {
  const { $ref: reference } = schema;
  const name =
    typeof reference === "string" ? /^#\/components\/schemas\/(\w+)$/u.exec(reference)?.[1] : null;
  if (typeof name === "string") return `<a href="#schema-${text(name)}">${text(name)}</a>`;
  const { description: _, ...rest } = schema;
  return Object.keys(rest).length === 0 ? "" : `<code>${text(JSON.stringify(rest))}</code>`;
}

function json(value: unknown): string {
  return text(JSON.stringify(value, null, 1));
}

function text(given: string): string {
  return given
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
