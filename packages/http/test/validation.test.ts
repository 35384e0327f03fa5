import { describe, expect, test } from 'vitest'
import { counted, type Handler, Rig } from './rig.ts'

const changed = 'Wed, 31 Dec 2025 00:00:00 GMT'

/** Answers a conditional request with 304 and these fields, and others with a page. */
function validating(page: Record<string, string>, confirmed: Record<string, string> = {}): Handler {
  return (request, count) =>
    request.headers.has('if-none-match') || request.headers.has('if-modified-since')
      ? new Response(null, { status: 304, headers: confirmed })
      : new Response(`page ${count}`, { headers: page })
}

describe('a stale response', () => {
  test('is validated by its entity tag and its time of change', async () => {
    const rig = new Rig(validating({ 'cache-control': 'max-age=60', etag: '"1"', 'last-modified': changed }))
    await rig.text()
    rig.clock.advance(60)
    expect(await rig.text()).toBe('page 1')
    const { headers } = rig.seen[1] as Request
    expect([headers.get('if-none-match'), headers.get('if-modified-since')]).toEqual(['"1"', changed])
  })

  test('is fresh again after a 304, with its fields', async () => {
    const rig = new Rig(
      validating({ 'cache-control': 'max-age=60', etag: '"1"', 'x-a': '1' }, { 'x-a': '2', etag: '"1"' }),
    )
    await rig.text()
    rig.clock.advance(60)
    await rig.text()
    rig.clock.advance(59)
    const response = await rig.get()
    expect([await response.text(), response.headers.get('x-a'), response.headers.get('age'), rig.seen.length]).toEqual([
      'page 1',
      '2',
      '59',
      2,
    ])
  })

  test('keeps the length and the coding of its body after a 304, and takes its type', async () => {
    const page = { 'cache-control': 'max-age=60', etag: '"1"', 'content-type': 'text/html' }
    const rig = new Rig(
      validating(page, { 'content-type': 'text/plain', 'content-length': '0', 'content-encoding': 'gzip' }),
    )
    await rig.text()
    rig.clock.advance(60)
    const { headers } = await rig.get()
    const names = ['content-type', 'content-length', 'content-encoding']
    expect(names.map((name) => headers.get(name))).toEqual(['text/plain', '6', null])
  })

  test('is requested again when the 304 has another entity tag', async () => {
    const rig = new Rig(validating({ 'cache-control': 'max-age=60', etag: '"1"' }, { etag: '"2"' }))
    await rig.text()
    rig.clock.advance(60)
    expect(await rig.text()).toBe('page 3')
  })

  test('is confirmed by the weak form of its entity tag', async () => {
    const rig = new Rig(validating({ 'cache-control': 'max-age=60', etag: 'W/"1"' }, { etag: '"1"' }))
    await rig.text()
    rig.clock.advance(60)
    expect(await rig.text()).toBe('page 1')
  })

  test('is replaced by a new response', async () => {
    const rig = new Rig(counted({ 'cache-control': 'max-age=60', etag: '"1"' }))
    await rig.text()
    rig.clock.advance(60)
    expect([await rig.text(), await rig.text()]).toEqual(['page 2', 'page 2'])
  })

  test.each(['set-cookie', 'cache-control'])('is not shared after a 304 with a private %s', async (name) => {
    const rig = new Rig(validating({ 'cache-control': 'max-age=60', etag: '"1"' }, { [name]: 'private=1' }))
    await rig.text()
    rig.clock.advance(60)
    const response = await rig.get()
    expect([await response.text(), response.headers.get(name)]).toEqual(['page 1', 'private=1'])
    await rig.settled()
    expect((await rig.get({ 'cache-control': 'max-stale' })).headers.get(name)).not.toBe('private=1')
  })

  test('with no-cache is validated by each request', async () => {
    const rig = new Rig(
      validating({ 'cache-control': 'no-cache, max-age=60', etag: '"1"' }, { 'cache-control': 'no-cache' }),
    )
    expect([await rig.text(), await rig.text(), await rig.text()]).toEqual(['page 1', 'page 1', 'page 1'])
    expect(rig.seen.length).toBe(3)
  })
})

describe('a conditional request of a client', () => {
  const page = { 'cache-control': 'max-age=60', etag: '"1"', 'last-modified': changed, 'content-type': 'text/html' }
  const matching: [string, Record<string, string>][] = [
    ['the entity tag', { 'if-none-match': '"1"' }],
    ['its weak form', { 'if-none-match': 'W/"1"' }],
    ['one of several entity tags', { 'if-none-match': '"a,b", "1"' }],
    ['any entity tag', { 'if-none-match': '*' }],
    ['the time of change', { 'if-modified-since': changed }],
  ]
  test.each(matching)('with %s gets 304 from the store', async (_name, headers) => {
    const rig = new Rig(counted(page))
    await rig.text()
    const response = await rig.get(headers)
    expect([
      response.status,
      response.headers.get('etag'),
      response.headers.get('content-type'),
      rig.seen.length,
    ]).toEqual([304, '"1"', null, 1])
  })

  test.each(matching)('with %s fills an empty store', async (_name, headers) => {
    const rig = new Rig(counted(page))
    expect((await rig.get(headers)).status).toBe(304)
    await rig.settled()
    expect(await rig.text()).toBe('page 1')
    const names = [...(rig.seen[0] as Request).headers.keys()]
    expect(names.filter((name) => name.startsWith('if-'))).toEqual([])
  })

  const others: [string, Record<string, string>][] = [
    ['another entity tag', { 'if-none-match': '"2"' }],
    ['an entity tag that contains the right one', { 'if-none-match': '"a"1"' }],
    ['an earlier time', { 'if-modified-since': 'Tue, 30 Dec 2025 00:00:00 GMT' }],
    ['another entity tag and the right time', { 'if-none-match': '"2"', 'if-modified-since': changed }],
    ['an unreadable time', { 'if-modified-since': '2026-01-01' }],
  ]
  test.each(others)('with %s gets the whole response', async (_name, headers) => {
    const rig = new Rig(counted(page))
    await rig.text()
    const response = await rig.get(headers)
    expect([response.status, await response.text()]).toEqual([200, 'page 1'])
  })

  test('for a response that is not stored reaches the origin unchanged', async () => {
    const rig = new Rig(validating({ etag: '"1"', 'cache-control': 'private' }))
    await rig.text()
    expect((await rig.get({ 'if-none-match': '"1"' })).status).toBe(304)
    expect(rig.seen[1]?.headers.get('if-none-match')).toBe('"1"')
  })
})
