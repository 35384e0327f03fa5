import type { EventEmitter } from 'node:events'

type Listener = (argument: never) => void
type Emitter = Pick<EventEmitter, 'on' | 'off'>

interface Shared {
  readonly listeners: Set<Listener>
  readonly emit: (argument: unknown) => void
}

const shared = new WeakMap<Emitter, Map<string, Shared>>()

/**
 * Adds a listener to a client. All listeners of this package to one event share one listener of the client: many backends
 * may use one client, and Node warns about more than ten listeners. Returns the function that removes it.
 */
export function shareListener<Argument>(
  emitter: Emitter,
  event: string,
  listener: (argument: Argument) => void,
): () => void {
  const byEvent = shared.get(emitter) ?? new Map<string, Shared>()
  shared.set(emitter, byEvent)
  const { listeners, emit } = byEvent.get(event) ?? subscribe(emitter, event, byEvent)
  const own = (argument: Argument): void => listener(argument)
  listeners.add(own)
  return () => {
    listeners.delete(own)
    if (listeners.size > 0 || byEvent.get(event)?.listeners !== listeners) return
    byEvent.delete(event)
    emitter.off(event, emit)
  }
}

function subscribe(emitter: Emitter, event: string, byEvent: Map<string, Shared>): Shared {
  const listeners = new Set<Listener>()
  const emit = (argument: unknown): void => {
    for (const one of listeners) one(argument as never)
  }
  const made = { listeners, emit }
  byEvent.set(event, made)
  emitter.on(event, emit)
  return made
}
