export { InProcessBus } from './in-process-bus.ts'
export { LayeredBackend } from './layered-backend.ts'
export type { LayeredStats, LayerStats } from './layered-stats.ts'
export type { LayeredOptions, RecoveryOptions } from './options.ts'
