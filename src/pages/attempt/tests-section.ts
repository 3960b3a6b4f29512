import type { TestOutcome, TestResult } from "../../model/attempt.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";
import { SIGNS, type Look } from "../shell/words.ts";
import {
  ALL_TESTS,
  MAX_SEARCH_CHARS,
  TEST_FILTERS,
  type ListedTests,
  type TestFilter,
  type TestsAsked,
} from "./list-tests.ts";
import { assertionLine } from "./junit.ts";
import type { ReadAttempt } from "./read-attempt.ts";
import { counted, line, lines, secondsText, TEST_WORDS } from "./texts.ts";

const LOOK_OF: Readonly<Record<TestOutcome, Look>> = {
  passed: "pass",
  failed: "fail",
  error: "error",
  skipped: "skip",
  xfailed: "skip",
  xpassed: "pass",
};

const FILTER_WORDS: Readonly<Record<TestFilter, string>> = {
  failed: "did not pass",
  error: "errors only",
  passed: "passed",
  skipped: "skipped",
  xfailed: TEST_WORDS.xfailed,
  xpassed: TEST_WORDS.xpassed,
};

/** Sign and word of one test's outcome. */
export function testMark(outcome: TestOutcome): Html {
  const look = LOOK_OF[outcome];
  return html`<span class="verdict v-${look}"><span aria-hidden="true">${SIGNS[look]}</span> ${TEST_WORDS[outcome]}</span>`;
}

/** The first tests that did not pass, with what they said. */
export function failingSection({ stored, collectionErrors }: ReadAttempt, all: Html): Html {
  const { failing } = stored.attempt.evidence;
  const { tests } = stored.attempt;
  const modules =
    collectionErrors.length === 0
      ? NOTHING
      : html`<h2 id="collection">Modules that could not be collected</h2>
${failureList(collectionErrors.slice(0, 20).map((error) => ({ ...error, outcome: "error" as const })))}
${collectionErrors.length > 20 ? html`<p>And ${counted(collectionErrors.length - 20, "more", "more")}: they are in the log.</p>` : NOTHING}`;
  if (failing.length === 0) return modules;
  const bad = Math.max(failing.length, (tests?.failed ?? 0) + (tests?.errors ?? 0));
  const heading = `${counted(bad, "test")} did not pass`;
  return html`${modules}<h2 id="failing">${heading}</h2>
${failing.length < bad ? html`<p>The first ${String(failing.length)}${all}:</p>` : NOTHING}
${failureList(failing)}`;
}

function failureList(failures: readonly Pick<TestResult, "id" | "outcome" | "message">[]): Html {
  return html`<ol class="failures">${failures.map(
    ({ id, outcome, message = "" }, index) =>
      html`<li><p>${testMark(outcome)} <code>${line(id)}</code></p>${
        message.trim() === ""
          ? NOTHING
          : html`<details${index < 1 ? html` open` : NOTHING}><summary>${line(assertionLine(message), 200)}</summary><pre class="said">${lines(message)}</pre></details>`
      }</li>`,
  )}</ol>`;
}

/** All tests, a page of them, with a search that needs no script. */
export function testsSection(read: ReadAttempt, { site }: PageContext): Html {
  const { tests, origin, left, stored } = read;
  const { id } = stored.attempt;
  const action = testsHref(site, id, ALL_TESTS);
  const { asked, found } = tests;
  const isNarrowed = asked.text !== "" || asked.outcome !== null;
  if (found === 0 && !isNarrowed) {
    const why =
      stored.attempt.tests === null
        ? "No test ran."
        : origin === "store"
          ? "Its report is not kept (any more), and the store has no test of it that did not pass."
          : "Its report names no test.";
    return html`<h2 id="tests">All tests</h2><p>${why}</p>`;
  }
  const about =
    origin === "store"
      ? html`<p>Its report is not kept (any more): these are the tests that did not pass.</p>`
      : left > 0
        ? html`<p>${counted(left, "test")} more are in the report, for which a page has no room.</p>`
        : NOTHING;
  return html`<h2 id="tests">${origin === "store" ? "Tests that are known" : "All tests"}</h2>
${about}
${action === null ? NOTHING : searchForm(action, tests)}
<p role="status">${foundText(tests)}</p>
${tests.tests.length === 0 ? NOTHING : testsTable(tests.tests)}
${pagesOf(tests, id, site)}`;
}

function foundText({ asked, found, pages, tests }: ListedTests): string {
  const narrowed = [
    asked.outcome === null ? "" : `: ${FILTER_WORDS[asked.outcome]}`,
    asked.text === "" ? "" : `, with “${line(asked.text, MAX_SEARCH_CHARS)}” in the name`,
  ].join("");
  const page = pages > 1 ? `; page ${asked.page} of ${pages}, ${tests.length} on it` : "";
  return `${found === 0 ? "No test" : counted(found, "test")}${narrowed}${page}.`;
}

function searchForm(action: string, { asked }: ListedTests): Html {
  const options = TEST_FILTERS.map(
    (filter) =>
      html`<option value="${filter}"${filter === asked.outcome ? html` selected` : NOTHING}>${FILTER_WORDS[filter]}</option>`,
  );
  return html`<form class="narrow" action="${action}" method="get">
<p><label for="test">Part of a test's name</label> <input id="test" name="test" type="search" maxlength="${String(MAX_SEARCH_CHARS)}" value="${line(asked.text, MAX_SEARCH_CHARS)}" autocomplete="off" spellcheck="false"></p>
<p><label for="outcome">Outcome</label> <select id="outcome" name="outcome"><option value="">any</option>${options}</select></p>
<p><button>Show</button></p>
</form>`;
}

function testsTable(tests: readonly TestResult[]): Html {
  const rows = tests.map(({ id, outcome, seconds, message = "" }) => {
    const said = message.trim();
    return html`<tr><td>${testMark(outcome)}</td><th scope="row"><code>${line(id)}</code>${
      said === ""
        ? NOTHING
        : html`<details><summary>${line(assertionLine(said), 120)}</summary><pre class="said">${lines(said)}</pre></details>`
    }</th><td class="number">${secondsText(seconds)}</td></tr>`;
  });
  return html`<div class="frame" tabindex="0" role="region" aria-label="Tests"><table class="tests">
<caption>What failed comes first, else the report's order</caption>
<thead><tr><th scope="col">Outcome</th><th scope="col">Test</th><th scope="col" class="number">Time</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function pagesOf({ asked, pages }: ListedTests, id: string, site: PageContext["site"]): Html {
  if (pages <= 1) return NOTHING;
  if (site.kind !== "live") {
    const report = site.href({ kind: "download", id, what: "junit.xml" });
    return report === null
      ? html`<p>The rest is in the report.</p>`
      : html`<p>The rest is in <a href="${report}">junit.xml</a>.</p>`;
  }
  const link = (page: number, text: string, rel: string) => {
    const href = page < 1 || page > pages ? null : testsHref(site, id, { ...asked, page });
    return href === null ? NOTHING : html`<li><a href="${href}" rel="${rel}">${text}</a></li>`;
  };
  return html`<nav class="pages" aria-label="Pages of tests"><ul>
${asked.page > 2 ? link(1, "First page", "first") : NOTHING}
${link(asked.page - 1, "Page before", "prev")}
${link(asked.page + 1, "Next page", "next")}
${asked.page < pages - 1 ? link(pages, `Last page (${pages})`, "last") : NOTHING}
</ul></nav>`;
}

/** The attempt's page with other tests of its report; null where nobody answers. */
export function testsHref(
  site: PageContext["site"],
  id: string,
  { text, outcome, page }: TestsAsked,
): string | null {
  if (site.kind !== "live") return null;
  const parameters = {
    ...(text === "" ? {} : { test: text }),
    ...(outcome === null ? {} : { outcome }),
    ...(page > 1 ? { page: String(page) } : {}),
  };
  return site.href({ kind: "attempt", id, parameters, fragment: "tests" });
}
