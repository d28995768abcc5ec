// Copyright 2026 the Sluice authors. MIT license.

/** The house rules: what the compiler and `deno lint` cannot know. */
import { importDirection, noCycles } from "./imports.ts";
import { optionsParameters } from "./parameters.ts";
import { publishedImports, runtimeNames, runtimeSniffing } from "./runtimes.ts";
import { parseSource, type Problem, type Rule } from "./source.ts";
import { syntaxRules } from "./syntax.ts";
import { comments, fileLength, licenceHeader } from "./text.ts";
import { errorWording } from "./wording.ts";

const rules: readonly Rule[] = [
  licenceHeader,
  fileLength,
  comments,
  ...syntaxRules,
  importDirection,
  noCycles,
  publishedImports,
  runtimeNames,
  runtimeSniffing,
  errorWording,
];

/** Rules that are reported, and do not fail yet. */
const comingRules: readonly Rule[] = [optionsParameters];

/** Every broken rule in `files`: texts by their paths from the repository's root. */
export function checkHouseRules(files: Readonly<Record<string, string>>): Problem[] {
  return apply(rules, files);
}

/** As {@linkcode checkHouseRules}, for the rules that do not fail yet. */
export function checkComingRules(files: Readonly<Record<string, string>>): Problem[] {
  return apply(comingRules, files);
}

function apply(rules: readonly Rule[], files: Readonly<Record<string, string>>): Problem[] {
  const sources = Object.entries(files).map(([path, text]) => parseSource(path, text));
  return rules.flatMap((rule) => rule(sources));
}
