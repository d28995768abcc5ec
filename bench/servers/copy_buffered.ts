// Copyright 2026 the Sluice authors. MIT license.

/** `copy_buffered.ts PORT`: gives back what it gets, by {@linkcode copy} from a {@linkcode BufReader} of 64 KiB. */
import { BufReader, copy } from "../../mod.ts";
import { serveCommand } from "./_serve.ts";

const size = 64 * 1024;

await serveCommand((flow) => copy(new BufReader(flow, { maxSize: size, initialSize: size }).asSource(), flow));
