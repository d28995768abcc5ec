// Copyright 2026 the Sluice authors. MIT license.

/** The house rules: what the compiler and `deno lint` cannot know. */
import { optionsParameters } from "./parameters.ts";
import { publishedImports, runtimeNames, runtimeSniffing } from "./runtimes.ts";
import { seams } from "./seams.ts";
import { parseSource, type Problem, type Rule } from "./source.ts";
import { syntaxRules } from "./syntax.ts";
import { comments, fileLength, licenceHeader } from "./text.ts";
import { errorWording } from "./wording.ts";

const rules: readonly Rule[] = [
  licenceHeader,
  fileLength,
  comments,
  ...syntaxRules,
  optionsParameters,
  publishedImports,
  runtimeNames,
  runtimeSniffing,
  seams,
  errorWording,
];

/** Every broken rule in `files`: texts by their paths from the repository's root. */
export function checkHouseRules(files: Readonly<Record<string, string>>): Problem[] {
  const sources = Object.entries(files).map(([path, text]) => parseSource(path, text));
  return rules.flatMap((rule) => rule(sources));
}
