import { CacheError, type CacheLike } from '@cache/core'
import { invalidArgument } from '@cache/core/backend'
import { entryHandler } from './entry-handler.ts'
import { HandlerState } from './handler-state.ts'
import type { HandlerContext, NextCacheHandler } from './next-types.ts'
import { type NextCacheOptions, resolveOptions, type Settings } from './options.ts'
import { ResponseHandler } from './response-handler.ts'

const registryKey = Symbol.for('@cache/next')

/**
 * A handler for `cacheHandler` and for `cacheHandlers` of `next.config`, as the default export of one file. `open` makes the cache at the
 * first use, once in a process: Next may load the file several times.
 */
export function nextCacheHandler(open: () => CacheLike<unknown>, options: NextCacheOptions = {}): NextCacheHandler {
  mustBeNode()
  if (typeof open !== 'function')
    throw invalidArgument('open', open, 'a function that returns a Cache', 'nextCacheHandler')
  const settings = resolveOptions(options)
  const state = (): HandlerState => sharedState(open, settings)
  class Handler extends ResponseHandler {
    constructor(context: HandlerContext) {
      super(state(), context)
    }
  }
  return Object.assign(Handler, entryHandler(state))
}

/** Closes the cache of the handlers with this name. Later calls of the handlers open it again. */
export async function closeNextCache(name = 'default'): Promise<void> {
  const states = registry()
  const state = states.get(name)
  states.delete(name)
  await state?.close()
}

/** One map for all copies of this module: bundles of Next contain copies. */
function registry(): Map<string, HandlerState> {
  const holder = globalThis as { [registryKey]?: Map<string, HandlerState> }
  if (holder[registryKey] === undefined) {
    const states = new Map<string, HandlerState>()
    holder[registryKey] = states
    // `next build` and scripts end when nothing is left to do. `next start` ends by a signal, after its last response.
    process.once('beforeExit', () => void Promise.allSettled([...states.values()].map((state) => state.close())))
  }
  return holder[registryKey]
}

function sharedState(open: () => CacheLike<unknown>, settings: Settings): HandlerState {
  const states = registry()
  const state = states.get(settings.name) ?? new HandlerState(open, settings)
  states.set(settings.name, state)
  return state
}

function mustBeNode(): void {
  const isEdge = (globalThis as { EdgeRuntime?: unknown }).EdgeRuntime !== undefined
  if (!isEdge && process.env.NEXT_RUNTIME !== 'edge') return
  throw new CacheError(
    'UNSUPPORTED',
    "nextCacheHandler needs the Node.js runtime, but runs in the Edge runtime. Remove `export const runtime = 'edge'` from the route",
    { operation: 'nextCacheHandler' },
  )
}
