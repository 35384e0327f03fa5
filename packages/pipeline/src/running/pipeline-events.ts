import { invalidArgument } from '@cache/core/backend'

/** The events of a pipeline, by name. */
export interface PipelineEventPayloads {
  /** A record or blob was not what had been stored. The node is computed again. */
  damaged: { readonly node: string; readonly part: 'record' | 'blob'; readonly key: string }
  /** A result could not be stored. The run uses it, and the next run computes it again. */
  notStored: { readonly node: string; readonly error: unknown }
}

export type PipelineEventName = keyof PipelineEventPayloads

const names: readonly PipelineEventName[] = ['damaged', 'notStored']

/** The listeners of one pipeline. A listener that throws does not harm the run: its error is thrown again in a microtask of its own. */
export class PipelineEvents {
  readonly #listeners = new Map<PipelineEventName, Set<(payload: never) => void>>()

  add<Name extends PipelineEventName>(
    name: Name,
    listener: (payload: PipelineEventPayloads[Name]) => void,
  ): () => void {
    if (!names.includes(name))
      throw invalidArgument('name', name, `one of ${names.map((one) => `'${one}'`).join(', ')}`, 'on')
    if (typeof listener !== 'function') throw invalidArgument('listener', listener, 'a function', 'on')
    // A function of its own: one listener may be added twice.
    const own = (payload: PipelineEventPayloads[Name]): void => listener(payload)
    const all = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, all.add(own))
    return () => {
      all.delete(own)
    }
  }

  emit<Name extends PipelineEventName>(name: Name, payload: PipelineEventPayloads[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(payload as never)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
