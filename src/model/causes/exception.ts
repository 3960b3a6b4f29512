import type { Cause } from "../attempt.ts";
import { missingSharedLibrary } from "./environment.ts";
import { causeOf } from "./find.ts";
import { caughtGap, gapOfModule, interpreterGap } from "./interpreter-gap.ts";
import { removedAttribute, removedMember, removedModule } from "./removed-apis.ts";
import { exceptionChain, innermostOwner } from "./traceback.ts";

export interface ExceptionContext {
  /** Top-level modules of the release under test. */
  readonly topLevel: readonly string[];
  readonly pythonVersion: string;
  /** Modules of the standard library that this build of the interpreter does not have. */
  readonly lacks: readonly string[];
}

const NO_MODULE = /(?:ModuleNotFoundError|ImportError): No module named ['"]?([\w.]{1,200})/g;
const NO_NAME =
  /ImportError: cannot import name ['"]?(\w{1,200})['"]?(?: from (?:partially initialized module )?['"]([\w.]{1,200})['"])?/g;
const NO_ATTRIBUTE =
  /AttributeError: (?:partially initialized )?(?:module|'module' object) ?(?:'([\w.]{1,200})' )?has no attribute '(\w{1,200})'/g;
const NO_MEMBER =
  /AttributeError: (?:type object )?'(\w{1,200})'(?: object)? has no attribute '(\w{1,200})'/g;
const NO_SYNTAX = /\b(?:SyntaxError|IndentationError|TabError): /;
const IMPORT_FAILED = /\b(?:ImportError|ModuleNotFoundError)\b/;

/** Modules that tests call their own, wherever they lie: never a distribution's name. */
const OF_THE_TREE =
  /^(?:tests?|testing|conftest|examples?|docs?|tools|benchmarks?|setup|noxfile|tasks)$/;

/**
 * What made an import fail, from its traceback; null when the exception is of no kind that an import
 * alone explains. A dependency's own failure is blamed on it, once, at the root.
 */
export function importCause(text: string, context: ExceptionContext): Cause | null {
  const last = lastException(text);
  const gap =
    interpreterGap(text, context.lacks) ??
    (namesCause(last, context.pythonVersion) ? null : caughtGap(text, context.lacks));
  if (gap !== null) return gap;
  const owner = innermostOwner(text, context.topLevel);
  const known =
    NO_SYNTAX.test(last) ||
    IMPORT_FAILED.test(last) ||
    removedApi(last, context.pythonVersion) !== null;
  if (owner.kind === "dependency" && known) return causeOf("dependency-import", owner.name);
  if (NO_SYNTAX.test(last)) return causeOf("syntax");
  const removed = removedApi(last, context.pythonVersion);
  if (removed !== null) return removed;
  const library = missingSharedLibrary(last);
  if (library !== null) return library;
  const module = lastMatch(NO_MODULE, last)?.[1];
  if (module !== undefined) {
    const top = module.split(".")[0] ?? module;
    const own = context.topLevel.includes(top) || OF_THE_TREE.test(top);
    if (own) return causeOf("import-error");
    // Of a process that this one started and told of: what no release can declare is none of its declarations.
    return gapOfModule(top, context.lacks) ?? causeOf("missing-dependency-declaration", top);
  }
  return IMPORT_FAILED.test(last) ? causeOf("import-error") : null;
}

/** A removed part of the standard library that an exception names. */
export function removedApi(text: string, pythonVersion: string): Cause | null {
  const module = lastMatch(NO_MODULE, text)?.[1];
  const name = lastMatch(NO_NAME, text);
  const attribute = lastMatch(NO_ATTRIBUTE, text);
  const member = lastMatch(NO_MEMBER, text);
  const removed =
    (module === undefined ? null : removedModule(module, pythonVersion)) ??
    (name?.[1] === undefined || name[2] === undefined
      ? null
      : removedAttribute(name[2], name[1], pythonVersion)) ??
    (attribute?.[1] === undefined || attribute[2] === undefined
      ? null
      : removedAttribute(attribute[1], attribute[2], pythonVersion)) ??
    (member?.[1] === undefined || member[2] === undefined
      ? null
      : removedMember(member[1], member[2], pythonVersion));
  return removed === null ? null : causeOf("removed-api", removed);
}

/** Whether an exception says itself what it is for want of, and not only that something is wrong. */
function namesCause(exception: string, pythonVersion: string): boolean {
  return (
    NO_SYNTAX.test(exception) ||
    lastMatch(NO_MODULE, exception) !== null ||
    lastMatch(NO_NAME, exception) !== null ||
    removedApi(exception, pythonVersion) !== null ||
    missingSharedLibrary(exception) !== null
  );
}

/** The last exception of a chain, out of the wrapper that a runner may have put it in. */
function lastException(text: string): string {
  // unittest tells of a module that it could not import by an exception of its own, with the module's inside.
  const wrapped =
    /\b(?:ImportError|ModuleNotFoundError): Failed to import test module: \S{1,300}\n/g;
  const shown = exceptionChain(text).at(-1) ?? text;
  const wrapper = lastMatch(wrapped, shown);
  return wrapper === null ? shown : shown.slice(wrapper.index + wrapper[0].length);
}

function lastMatch(pattern: RegExp, text: string): RegExpExecArray | null {
  return [...text.matchAll(pattern)].at(-1) ?? null;
}
