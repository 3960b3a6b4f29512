import type { AttemptEvidence, StepEvidence } from "./evidence.ts";

/**
 * What a package wrote, cut before any rule reads it: no line and no text is long enough to keep a pattern busy. The
 * middle is what goes, since tools say at the beginning what they do and at the end what became of it.
 */

const MAX_TEXT_CHARS = 300_000;
const MAX_LINE_CHARS = 2000;
const CUT = " […] ";

export function boundedText(text: string): string {
  if (text.length <= MAX_LINE_CHARS) return text;
  const whole = withoutMiddle(text, MAX_TEXT_CHARS, `\n${CUT}\n`);
  return whole
    .split("\n")
    .map((line) => withoutMiddle(line, MAX_LINE_CHARS, CUT))
    .join("\n");
}

/** The same evidence, every text of it bounded. */
export function boundedEvidence(evidence: AttemptEvidence): AttemptEvidence {
  const { failedStep, smoke, tests } = evidence;
  const best = tests?.best ?? null;
  return {
    ...evidence,
    failedStep: boundedStep(failedStep),
    smoke:
      smoke === null
        ? null
        : {
            ...smoke,
            failures: smoke.failures.map((failure) => ({
              ...failure,
              text: boundedText(failure.text),
            })),
          },
    tests:
      tests === null
        ? null
        : {
            failedStep: boundedStep(tests.failedStep),
            best:
              best === null
                ? null
                : {
                    ...best,
                    result: boundedStep(best.result),
                    report: {
                      ...best.report,
                      results: best.report.results.map((test) =>
                        test.message === undefined
                          ? test
                          : { ...test, message: boundedText(test.message) },
                      ),
                      collectionErrors: best.report.collectionErrors.map((error) => ({
                        ...error,
                        message: boundedText(error.message),
                      })),
                    },
                  },
          },
  };
}

function boundedStep<Step extends StepEvidence | null>(step: Step): Step {
  return step === null ? step : { ...step, text: boundedText(step.text) };
}

function withoutMiddle(text: string, maxChars: number, cut: string): string {
  if (text.length <= maxChars) return text;
  const half = Math.floor((maxChars - cut.length) / 2);
  return `${text.slice(0, half)}${cut}${text.slice(-half)}`;
}
