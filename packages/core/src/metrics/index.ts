/** For applications: the statistics of caches for Prometheus, StatsD and OpenTelemetry. */
export { type Meter, type Observations, type Observed, observeCaches } from './observe-caches.ts'
export { prometheusText } from './prometheus-text.ts'
export { statsdLines } from './statsd-lines.ts'
