// Copyright 2026 the Sluice authors. MIT license.

/** Mocks: networks, connections and clocks that do what a test has scripted. */
export type { Action } from "./action.ts";
export { DeadlockError } from "./deadlock_error.ts";
export { type MockClock, mockClock, type MockClockOptions } from "./mock_clock.ts";
export {
  type MockDatagram,
  type MockDatagramSocket,
  mockDatagramSocket,
  type MockDatagramSocketOptions,
} from "./mock_datagram_socket.ts";
export { type MockFlow, mockFlow, type MockFlowOptions } from "./mock_flow.ts";
export { type MockListener, mockListener, type MockListenerOptions } from "./mock_listener.ts";
export { type MockNet, mockNet, type MockNetOptions } from "./mock_net.ts";
export type { MockOptions } from "./mock_options.ts";
