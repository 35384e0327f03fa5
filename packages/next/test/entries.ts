import type { GetContext, IncrementalHandler, IncrementalValue, UseCacheEntry } from '../src/index.ts'

export const pageContext: GetContext = { kind: 'APP_PAGE' }

/** A page as Next stores it. */
export function page(html: string, tags: readonly string[] = []): IncrementalValue {
  return {
    kind: 'APP_PAGE',
    html,
    rscData: Buffer.from(`rsc of ${html}`),
    headers: { 'x-next-cache-tags': tags.join(','), vary: undefined },
    postponed: undefined,
    status: 200,
    segmentData: new Map([
      ['/_tree', Buffer.from('tree')],
      ['/page', Buffer.from([0, 255, 1])],
    ]),
  }
}

/** A result of `fetch` as Next stores it. */
export function fetched(body: string, revalidate = 60): IncrementalValue {
  return { kind: 'FETCH', data: { headers: {}, body, status: 200, url: 'http://origin/' }, revalidate }
}

/** The HTML of a page, and whether it is stale, as Next computes it. */
export async function htmlOf(handler: IncrementalHandler, key: string, now: number): Promise<string | undefined> {
  const found = await handler.get(key, pageContext)
  if (found === null || found.value === null) return undefined
  const { revalidate } = found.cacheControl ?? { revalidate: false }
  const isStale = revalidate !== false && found.lastModified + revalidate * 1000 < now
  return isStale ? `stale ${found.value.html}` : String(found.value.html)
}

/** An entry of `'use cache'`. */
export function entry(
  text: string,
  options: Partial<Omit<UseCacheEntry, 'value'>> & { timestamp: number },
): UseCacheEntry {
  return { value: streamOf(text), tags: [], stale: 300, expire: 3600, revalidate: 60, ...options }
}

export function streamOf(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const character of text) controller.enqueue(new TextEncoder().encode(character))
      controller.close()
    },
  })
}

export async function textOf(found: UseCacheEntry | undefined): Promise<string | undefined> {
  return found === undefined ? undefined : await new Response(found.value).text()
}
