import { describe, expect, test } from 'vitest'
import { counted, gate, Rig, url } from './rig.ts'

const fresh = { 'cache-control': 'max-age=60' }

describe('tags', () => {
  test.each([
    ['cache-tag', 'product-7, Sale'],
    ['surrogate-key', 'product-7 Sale'],
  ])('of %s remove a response', async (field, value) => {
    const rig = new Rig(counted({ ...fresh, [field]: value }))
    await rig.text()
    await rig.http.purgeTag('other')
    expect(await rig.text()).toBe('page 1')
    await rig.http.purgeTag('Sale')
    expect(await rig.text()).toBe('page 2')
    await rig.http.purgeTag('product-7')
    expect(await rig.text()).toBe('page 3')
  })

  test('expireTag makes a response stale, and it is validated', async () => {
    const rig = new Rig(counted({ ...fresh, 'cache-tag': 'a', etag: '"1"' }))
    await rig.text()
    await rig.http.expireTag('a')
    rig.handler = () => new Response(null, { status: 304 })
    expect(await rig.text()).toBe('page 1')
    expect(rig.seen[1]?.headers.get('if-none-match')).toBe('"1"')
    expect([await rig.text(), rig.seen.length]).toEqual(['page 1', 2])
  })

  test('expireTag leaves stale-while-revalidate in use', async () => {
    const rig = new Rig(counted({ 'cache-control': 'max-age=60, stale-while-revalidate=60', 'cache-tag': 'a' }))
    await rig.text()
    await rig.http.expireTag('a')
    expect([await rig.text(), await rig.text()]).toEqual(['page 1', 'page 2'])
  })

  test('expireTag covers the variants of a URL', async () => {
    const rig = new Rig(counted({ ...fresh, 'cache-tag': 'a', vary: 'accept' }))
    await rig.text({ accept: 'x' })
    await rig.http.expireTag('a')
    expect([await rig.text({ accept: 'x' }), await rig.text({ accept: 'x' })]).toEqual(['page 2', 'page 2'])
  })

  test('of a response are at most 64, and one with more is not stored', async () => {
    const tags = Array.from({ length: 65 }, (_, index) => `t${index}`).join(',')
    const rig = new Rig(counted({ ...fresh, 'cache-tag': tags }))
    expect([await rig.text(), await rig.text()]).toEqual(['page 1', 'page 2'])
  })
})

describe('a purge', () => {
  test('of a URL leaves other URLs', async () => {
    const rig = new Rig(counted(fresh))
    await rig.text()
    await rig.text({}, `${url}?2`)
    await rig.http.purge(`${url}#top`)
    expect([await rig.text(), await rig.text({}, `${url}?2`)]).toEqual(['page 3', 'page 2'])
  })

  test('of a URL removes the entries of forged hosts too', async () => {
    const rig = new Rig(counted(fresh))
    await rig.text({ 'x-forwarded-host': 'a' })
    await rig.http.purge(url)
    expect(await rig.text({ 'x-forwarded-host': 'a' })).toBe('page 2')
  })

  test('of a relative URL is refused', async () => {
    await expect(new Rig(counted(fresh)).http.purge('/page')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('of everything leaves nothing', async () => {
    const rig = new Rig(counted(fresh))
    await rig.text()
    await rig.http.purgeAll()
    expect(await rig.text()).toBe('page 2')
  })

  const purges: [string, (rig: Rig) => Promise<void>][] = [
    ['a URL', (rig) => rig.http.purge(url)],
    ['a tag', (rig) => rig.http.purgeTag('a')],
    ['a tag softly', (rig) => rig.http.expireTag('a')],
    ['everything', (rig) => rig.http.purgeAll()],
    ['a URL by POST', async (rig) => void (await rig.send('POST'))],
  ]
  describe.each(['', 'accept'])('during a load with Vary: "%s"', (vary) => {
    test.each(purges)('of %s keeps the late response out', async (_name, purge) => {
      const { open, opened } = gate()
      const headers = { ...fresh, 'cache-tag': 'a', ...(vary === '' ? {} : { vary }) }
      const rig = new Rig(async (request, count) => {
        if (request.method === 'GET' && count === 1) await opened
        return new Response(`page ${count}`, { headers })
      })
      const old = rig.get()
      await expect.poll(() => rig.seen.length).toBe(1)
      await purge(rig)
      const count = rig.seen.length
      open()
      expect(await (await old).text()).toBe('page 1')
      await rig.settled()
      expect(await rig.text()).toBe(`page ${count + 1}`)
      expect(await rig.text()).toBe(`page ${count + 1}`)
    })

    test.each(purges)('of %s keeps a late body out', async (_name, purge) => {
      const { open, opened } = gate()
      const headers = { ...fresh, 'cache-tag': 'a', ...(vary === '' ? {} : { vary }) }
      const rig = new Rig((request, count) => {
        if (request.method !== 'GET' || count > 1) return new Response(`page ${count}`, { headers })
        const body = new ReadableStream({
          async start(controller) {
            await opened
            controller.enqueue(new TextEncoder().encode('page 1'))
            controller.close()
          },
        })
        return new Response(body, { headers })
      })
      const old = await rig.get()
      await purge(rig)
      const count = rig.seen.length
      open()
      expect(await old.text()).toBe('page 1')
      await rig.settled()
      expect(await rig.text()).toBe(`page ${count + 1}`)
      expect(await rig.text()).toBe(`page ${count + 1}`)
    })
  })
})

test('no request of a client purges a response that the origin does not change', async () => {
  const rig = new Rig(
    (request, count) => new Response(`page ${count}`, { headers: fresh, status: request.method === 'GET' ? 200 : 405 }),
  )
  await rig.text()
  for (const method of ['PURGE', 'BAN', 'DELETE', 'POST'])
    await rig.send(method, { 'cache-tag': 'a', 'surrogate-key': 'a' })
  expect(await rig.text()).toBe('page 1')
})
