import { describe, expect, test } from 'vitest'
import { counted, type Handler, Rig, url } from './rig.ts'

function varying(vary: string, more: Record<string, string> = {}): Handler {
  return (request, count) => {
    const language = request.headers.get('accept-language')
    return new Response(`${language} ${count}`, { headers: { 'cache-control': 'max-age=60', vary, ...more } })
  }
}

const german = { 'accept-language': 'de' }
const french = { 'accept-language': 'fr' }

describe('Vary', () => {
  test('keeps a response for each value of the field', async () => {
    const rig = new Rig(varying('Accept-Language'))
    const texts = [await rig.text(german), await rig.text(french), await rig.text(german), await rig.text(french)]
    expect(texts).toEqual(['de 1', 'fr 2', 'de 1', 'fr 2'])
    expect([await rig.text(), await rig.text()]).toEqual(['null 3', 'null 3'])
  })

  test('takes values for equal that differ in spaces and case', async () => {
    const rig = new Rig(varying('Accept-Language'))
    await rig.text({ 'accept-language': 'de, en;q=0.5' })
    expect(await rig.text({ 'accept-language': 'DE,en; q=0.5' })).toBe('de, en;q=0.5 1')
  })

  test('of several responses of a URL adds up', async () => {
    const rig = new Rig(varying('Accept-Language'))
    await rig.text(german)
    rig.handler = varying('Accept')
    await rig.text(french)
    const texts = [
      await rig.text({ ...french, accept: 'a' }),
      await rig.text({ ...french, accept: 'b' }),
      await rig.text({ ...french, accept: 'a' }),
      await rig.text({ ...german, accept: 'a' }),
    ]
    expect(texts).toEqual(['fr 3', 'fr 4', 'fr 3', 'de 5'])
  })

  test('of one response is kept for those without it', async () => {
    const rig = new Rig(varying('Accept-Language'))
    await rig.text(german)
    rig.handler = counted({ 'cache-control': 'max-age=60' })
    expect([await rig.text(french), await rig.text(french), await rig.text(german)]).toEqual([
      'page 2',
      'page 2',
      'de 1',
    ])
  })

  test('lets the stale variant of a request be validated', async () => {
    const rig = new Rig(varying('Accept-Language', { etag: '"1"' }))
    await rig.text(german)
    await rig.text(french)
    rig.clock.advance(60)
    rig.handler = () => new Response(null, { status: 304 })
    expect([await rig.text(german), await rig.text(french)]).toEqual(['de 1', 'fr 2'])
  })

  test('with too many names keeps the response out', async () => {
    const rig = new Rig(varying(Array.from({ length: 17 }, (_, index) => `x-${index}`).join(', ')))
    expect([await rig.text(), await rig.text()]).toEqual(['null 1', 'null 2'])
  })

  test('is removed with its URL', async () => {
    const rig = new Rig(varying('Accept-Language'))
    await rig.text(german)
    await rig.text(french)
    await rig.http.purge(url)
    expect([await rig.text(french), await rig.text(german)]).toEqual(['fr 3', 'de 4'])
  })

  test('concurrent first requests of two variants cause one request each', async () => {
    const rig = new Rig(varying('Accept-Language'))
    const texts = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        rig.get(index % 2 === 0 ? german : french).then((response) => response.text()),
      ),
    )
    expect(new Set(texts)).toEqual(new Set(['de 1', 'fr 2']))
    expect(rig.seen.length).toBe(2)
  })
})
