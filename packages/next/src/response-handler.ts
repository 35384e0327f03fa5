import { buildIdOf } from './build-id.ts'
import type { HandlerState } from './handler-state.ts'
import type {
  CacheControl,
  Durations,
  GetContext,
  HandlerContext,
  HandlerValue,
  IncrementalHandler,
  IncrementalValue,
  SetContext,
} from './next-types.ts'
import { fromStored, sizeOf, toStored } from './stored-value.ts'
import type { TaggedEntry } from './tag-marks.ts'

/** A response as it is stored. */
interface StoredResponse extends TaggedEntry {
  readonly value: IncrementalValue | null
  readonly storedAt: number
  readonly cacheControl?: CacheControl
}

const tagsHeader = 'x-next-cache-tags'

/** A `cacheHandler` of Next: pages, responses of routes, results of `fetch`, images. Next makes one for each request. */
export class ResponseHandler implements IncrementalHandler {
  readonly #state: HandlerState
  readonly #context: HandlerContext
  readonly #createdAt: number
  /** When this request looked for the key: what it renders then is no older. */
  readonly #lookedAt = new Map<string, number>()

  constructor(state: HandlerState, context: HandlerContext) {
    this.#state = state
    this.#context = context
    this.#createdAt = state.now()
  }

  async get(key: string, context: GetContext): Promise<HandlerValue | null> {
    const softTags = context.kind === 'FETCH' ? [...(context.tags ?? []), ...(context.softTags ?? [])] : []
    const found = await this.#state.read<StoredResponse>(this.#keyOf(key, context.kind), softTags)
    // Images have no tags, and their handler lives as long as the server.
    if (context.kind !== 'IMAGE') this.#lookedAt.set(key, this.#state.now())
    if (found === undefined) return null
    const { entry, state } = found
    const answer = {
      lastModified: entry.storedAt,
      value: entry.value === null ? null : fromStored(entry.value),
      ...(entry.cacheControl === undefined ? {} : { cacheControl: entry.cacheControl }),
    }
    return state === 'stale' ? this.#asStale(answer, context) : answer
  }

  async set(key: string, data: IncrementalValue | null, context: SetContext): Promise<void> {
    // Next has no results of `fetch` without a value.
    if (context.fetchCache === true && data === null) return
    const kind = context.fetchCache === true ? 'FETCH' : (data?.kind ?? context.kind ?? 'PAGES')
    const madeAt = this.#lookedAt.get(key) ?? this.#createdAt
    const cacheControl = context.fetchCache === true ? undefined : context.cacheControl
    const { expire } = cacheControl ?? {}
    await this.#state.write(this.#keyOf(key, kind), async () => ({
      value: data === null ? null : toStored(data),
      storedAt: this.#state.now(),
      madeAt,
      tags: tagsOf(data, context),
      lifetime: expire === undefined ? Number.POSITIVE_INFINITY : expire * 1000,
      size: sizeOf(data),
      ...(cacheControl === undefined ? {} : { cacheControl: storedControl(cacheControl) }),
    }))
  }

  async revalidateTag(tags: string | readonly string[], durations?: Durations): Promise<void> {
    await this.#state.invalidate(typeof tags === 'string' ? [tags] : tags, durations)
  }

  /** Nothing is kept for a request only. */
  resetRequestCache(): void {}

  /** Next compares the age with the time of revalidation: an answer that is too old is served while a new one is made. */
  #asStale(answer: HandlerValue, context: GetContext): HandlerValue {
    const now = this.#state.now()
    if (context.kind === 'FETCH') {
      const revalidate = answer.value?.revalidate
      const seconds = Math.max(Number(context.revalidate) || 0, Number(revalidate) || 0)
      return { ...answer, lastModified: Math.min(answer.lastModified, now - (seconds + 1) * 1000) }
    }
    const lastModified = Math.min(answer.lastModified, now - 2000)
    return { ...answer, lastModified, cacheControl: { revalidate: 1, expire: answer.cacheControl?.expire } }
  }

  /** Pages name the files of their build, so each build has its own. Results of `fetch` and images are data of any build. */
  #keyOf(key: string, kind: string): string {
    const { prefix } = this.#state.settings
    if (kind === 'FETCH') return `${prefix}:fetch:${key}`
    if (kind === 'IMAGE') return `${prefix}:image:${key}`
    return `${prefix}:page:${buildIdOf(this.#context, this.#state.settings)}:${key}`
  }
}

function tagsOf(data: IncrementalValue | null, context: SetContext): readonly string[] {
  if (context.fetchCache === true) return context.tags ?? []
  const header = (data?.headers as Readonly<Record<string, unknown>> | undefined)?.[tagsHeader]
  return typeof header === 'string' && header !== '' ? header.split(',') : []
}

function storedControl({ revalidate, expire }: CacheControl): CacheControl {
  return (expire === undefined ? { revalidate } : { revalidate, expire }) as CacheControl
}
