// Copyright 2026 the Sluice authors. MIT license.

/** Checks the whole repository against the house rules: `deno run -A tools/house_rules.ts`. */
import process from "node:process";
import { findFiles, readText } from "./_files.ts";
import { checkHouseRules } from "./rules/mod.ts";

const paths = findFiles([".ts", ".js", ".mjs"]);
const files = Object.fromEntries(paths.map((path) => [path, readText(path)]));
const problems = checkHouseRules(files);
for (const { path, line, message } of problems) console.log(`${path}:${line}: ${message}`);
console.log(`${paths.length} files, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
