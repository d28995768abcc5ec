// Copyright 2026 the Sluice authors. MIT license.

import type { SocketOptionName, SocketOptionValue, TcpAddress } from "../../../mod.ts";
import { systemError } from "../../memory/internal.ts";
import type { ScheduledEvent } from "../engine/internal.ts";
import type { System } from "./_system.ts";

/** A connection that is probed. */
interface Probed {
  readonly system: System;
  readonly peer: TcpAddress;
  /** Sends a segment that the other end answers. */
  probe(): void;
  /** Breaks the connection. */
  fail(error: Error): void;
}

/** The probes of an idle connection, if `SO_KEEPALIVE` is set, with the defaults of Linux. */
export class KeepAlive {
  /** Whether it is on. */
  isOn = false;
  readonly #socket: Probed;
  #idle = 7_200_000;
  #interval = 75_000;
  #most = 9;
  #unanswered = 0;
  #heardAt = 0;
  #timer: ScheduledEvent | undefined;

  constructor(socket: Probed) {
    this.#socket = socket;
  }

  /** Sets an option of the socket, if it is one of these. */
  change(name: SocketOptionName, value: SocketOptionValue): void {
    if (name === "TCP_KEEPIDLE") this.#idle = (value as number) * 1000;
    else if (name === "TCP_KEEPINTVL") this.#interval = (value as number) * 1000;
    else if (name === "TCP_KEEPCNT") this.#most = value as number;
    else if (name === "SO_KEEPALIVE") this.isOn = value as boolean;
    else return;
    this.stop();
    if (this.isOn) this.#start(this.#heardAt + this.#idle);
  }

  /** Notes that the other end is alive. */
  heard(): void {
    this.#heardAt = this.#socket.system.engine.now;
    this.#unanswered = 0;
  }

  stop(): void {
    if (this.#timer !== undefined) this.#socket.system.engine.cancel(this.#timer);
    this.#timer = undefined;
  }

  #start(time: number): void {
    this.#timer = this.#socket.system.engine.at(time, () => this.#expire(), true);
  }

  #expire(): void {
    const { now } = this.#socket.system.engine;
    if (this.#unanswered === 0 && now < this.#heardAt + this.#idle) return this.#start(this.#heardAt + this.#idle);
    if (this.#unanswered >= this.#most) {
      return this.#socket.fail(systemError("ETIMEDOUT", "read", this.#socket.peer));
    }
    this.#unanswered++;
    this.#socket.probe();
    this.#start(now + this.#interval);
  }
}
