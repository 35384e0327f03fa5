import type { CacheErrorCode } from '../../protocol/cache-error.ts'
import type { CacheLogger } from '../options/logger.ts'
import type { CacheState } from './cache-state.ts'
import type { CacheEventName, CacheEvents } from './events.ts'

type Level = keyof CacheLogger

/** Milliseconds within which a failure of the same kind is not logged again. */
const quietFor = 10_000

/** Failures that concern one value and not the store. */
const ofOneValue: ReadonlySet<CacheErrorCode> = new Set(['DAMAGED', 'NOT_STORABLE'])

/** The lines of one kind of failure. */
interface Kind {
  loggedAt: number
  leftOut: number
}

/** Passes the events of a cache to its logger, where it has one. */
export function logEvents(state: CacheState): void {
  const { logger } = state.settings
  if (logger !== undefined) new EventLog(state, logger).start()
}

/** Writes events to a logger. A store that is down fails thousands of calls, so failures are logged by kind. */
class EventLog {
  readonly #state: CacheState
  readonly #logger: CacheLogger
  readonly #kinds = new Map<string, Kind>()

  constructor(state: CacheState, logger: CacheLogger) {
    this.#state = state
    this.#logger = logger
  }

  start(): void {
    this.#logFailures()
    if (this.#logger.debug !== undefined) this.#logActions()
  }

  #logFailures(): void {
    this.#on('error', ({ error, namespace }) => {
      const { code, operation, backend } = error
      const level = ofOneValue.has(code) ? 'warn' : 'error'
      this.#failure(level, `${code} ${backend}`, { code, operation, backend, namespace, err: error }, error.message)
    })
    this.#on('writeFailed', ({ keys, error, willRetry, namespace }) => {
      const [level, next] = willRetry ? (['warn', 'and will try again'] as const) : (['error', 'and gave up'] as const)
      const message = `could not write ${keys.length} changes to the application's database ${next}`
      this.#failure(level, `writeFailed ${willRetry}`, { keys, willRetry, namespace, err: error }, message)
    })
    this.#on('loadFailed', ({ key, error, namespace }) =>
      this.#failure('warn', 'loadFailed', { key, namespace, err: error }, 'a load failed'),
    )
    this.#on('recovery', ({ state, pending, namespace }) => {
      const [level, says] = recoveries[state]
      this.#log(level, { state, pending, namespace }, says)
    })
  }

  #logActions(): void {
    this.#on('load', ({ key, ms, stored, namespace }) =>
      this.#log('debug', { key, ms, stored, namespace }, 'loaded a value'),
    )
    this.#on('refresh', ({ key, reason, namespace }) =>
      this.#log('debug', { key, reason, namespace }, 'loads a value in the background'),
    )
    this.#on('stale', ({ key, reason, namespace }) =>
      this.#log('debug', { key, reason, namespace }, 'served a stale value'),
    )
    this.#on('invalidate', ({ tag, namespace }) => this.#log('debug', { tag, namespace }, 'invalidated a tag'))
    this.#on('expireTag', ({ tag, namespace }) =>
      this.#log('debug', { tag, namespace }, 'made the values of a tag stale'),
    )
    this.#on('clear', ({ prefix, namespace }) => this.#log('debug', { prefix, namespace }, 'removed all values'))
  }

  #on<Name extends CacheEventName>(name: Name, listener: (event: CacheEvents[Name]) => void): void {
    this.#state.onListener(name)
    this.#state.listeners.add(name, listener)
  }

  #failure(level: Level, kind: string, details: object, message: string): void {
    const now = this.#state.now()
    const last = this.#kinds.get(kind)
    // A clock that was set back must not silence the log.
    if (last !== undefined && now >= last.loggedAt && now - last.loggedAt < quietFor) {
      last.leftOut += 1
      return
    }
    this.#kinds.set(kind, { loggedAt: now, leftOut: 0 })
    const leftOut = last?.leftOut ?? 0
    this.#log(level, leftOut === 0 ? details : { ...details, leftOut }, message)
  }

  #log(level: Level, details: object, message: string): void {
    const { name } = this.#state.settings
    try {
      // As methods: the loggers of pino use `this`.
      this.#logger[level]?.({ cache: name, ...details }, `cache '${name}': ${message}`)
    } catch {
      // A logger that throws must not fail a call of the cache, and has no other place to report to.
    }
  }
}

const recoveries = {
  started: ['warn', 'removals wait for the store'],
  drained: ['info', 'the store has all removals that waited'],
  overflowed: ['error', 'too many removals wait for the store, so that further ones are refused'],
} as const satisfies Record<CacheEvents['recovery']['state'], readonly [Level, string]>
