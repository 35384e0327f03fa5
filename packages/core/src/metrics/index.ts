/** For applications: what caches did, in the languages of Prometheus, StatsD and OpenTelemetry. */
export { type Meter, type Observations, type Observed, observeCaches } from './observe-caches.ts'
export { prometheusText } from './prometheus-text.ts'
export { statsdLines } from './statsd-lines.ts'
