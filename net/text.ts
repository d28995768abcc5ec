// Copyright 2026 the Sluice authors. MIT license.

export { escapeText, quoteText } from "../switch/text.ts";
