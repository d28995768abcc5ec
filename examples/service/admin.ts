// Copyright 2026 the Sluice authors. MIT license.

/** What probes and metrics exporters ask, over HTTP. */
import { createServer } from "node:http";
import type { Clock, ConnectionHandler } from "@sluice/io";
import { httpHandler } from "@sluice/io/flow/node";
import { type ServerMonitor, timeLimits } from "@sluice/io/net/server";
import type { BackendCounts } from "./backend.ts";

/** What there is to know about a service. */
export interface Status {
  /** Whether new connections should be sent to it. */
  readonly ready: () => boolean;
  readonly monitor: ServerMonitor;
  readonly counts: BackendCounts;
}

/**
 * Returns a handler that answers over HTTP:
 *
 * - `/livez`: 200 as long as the process works.
 * - `/healthz`: 200 while the service is ready, 503 before and while it drains.
 * - `/metrics`: the metrics, in the text format of Prometheus.
 */
export function adminHandler(clock: Clock, status: Status): ConnectionHandler {
  const server = createServer((request, response) => {
    const [code, body] = answerTo(request.url, status);
    response.writeHead(code, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" }).end(body);
  });
  return timeLimits(clock, { idle: 30_000, lifetime: 300_000 }, httpHandler(server));
}

function answerTo(path: string | undefined, status: Status): [code: number, body: string] {
  switch (path) {
    case "/livez":
      return [200, "ok\n"];
    case "/healthz":
      return status.ready() ? [200, "ready\n"] : [503, "not ready\n"];
    case "/metrics":
      return [200, metricsOf(status)];
    default:
      return [404, "not found\n"];
  }
}

/** Returns the metrics, in the text format of Prometheus. */
export function metricsOf({ ready, monitor, counts }: Status): string {
  const metrics: [name: string, type: "counter" | "gauge", help: string, value: number][] = [
    ["service_ready", "gauge", "Whether the service is ready.", Number(ready())],
    ["service_connections", "gauge", "Connections that are open.", monitor.active],
    ["service_connections_accepted_total", "counter", "Connections that were accepted.", monitor.accepted],
    ["service_connections_failed_total", "counter", "Connections whose handler failed.", monitor.failed],
    ["service_connections_dropped_total", "counter", "Connections that were reset over a limit.", monitor.dropped],
    ["service_connections_lost_total", "counter", "Connections that were lost with a worker.", monitor.lost],
    ["service_accept_errors_total", "counter", "Errors of accepting.", monitor.acceptErrors],
    ["service_questions_answered_total", "counter", "Questions that a backend answered.", counts.get("answered")],
    ["service_questions_unavailable_total", "counter", "Questions that none answered.", counts.get("unavailable")],
    ["service_backend_failures_total", "counter", "Attempts at a backend that failed.", counts.get("failures")],
  ];
  return metrics.map(([name, type, help, value]) =>
    `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`
  )
    .join("");
}
