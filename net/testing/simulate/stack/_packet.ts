// Copyright 2026 the Sluice authors. MIT license.

/** Something that travels from one host to another. */
export interface Packet {
  /** Its kind, for the trace. */
  readonly kind: string;
  /** Where it comes from, for the trace. */
  readonly source: string;
  /** Where it goes, for the trace. */
  readonly target: string;
  /** The bytes of users that it carries. */
  readonly bytes: number;
  /** The bytes of its headers. */
  readonly headers: number;
  /** Called when it has arrived. */
  arrive(): void;
}
