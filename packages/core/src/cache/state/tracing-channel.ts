import { builtinModule } from '../../protocol/builtin-module.ts'

interface Channel {
  readonly hasSubscribers: boolean
}

/** The members of a tracing channel of `node:diagnostics_channel` that the cache uses. */
export interface Tracing<Context extends object> extends Channel {
  readonly start: Channel
  readonly end: Channel
  readonly asyncStart: Channel
  readonly asyncEnd: Channel
  readonly error: Channel
  tracePromise<T>(run: () => Promise<T>, context: Context): Promise<T>
  traceSync<T>(run: () => T, context: Context): T
}

const silent: Channel = { hasSubscribers: false }

/** The channel of runtimes that have none. Nothing subscribes to it. */
const silentTracing: Tracing<object> = {
  hasSubscribers: false,
  start: silent,
  end: silent,
  asyncStart: silent,
  asyncEnd: silent,
  error: silent,
  tracePromise: (run) => run(),
  traceSync: (run) => run(),
}

export function tracingChannel<Context extends object>(name: string): Tracing<Context> {
  return builtinModule('diagnostics_channel')?.tracingChannel<unknown, Context>(name) ?? silentTracing
}
