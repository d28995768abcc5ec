// Copyright 2026 the Sluice authors. MIT license.

/** The only file of this room that names `node:`. */
import { channel } from "node:diagnostics_channel";

/** A channel of the runtime. */
export interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

/** Returns the channel with a name, which everybody in the process shares. */
export function channelOf(name: string): Channel {
  return channel(name);
}
