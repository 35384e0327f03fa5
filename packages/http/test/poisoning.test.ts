import { describe, expect, test } from 'vitest'
import { type Handler, Rig } from './rig.ts'

const fresh = { 'cache-control': 'max-age=60' }

/** A page with links to the host that a framework takes from this field. */
function linking(field: string): Handler {
  return (request) => new Response(`link to ${request.headers.get(field) ?? 'shop.example'}`, { headers: fresh })
}

describe('a forged field', () => {
  const fields = [
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-forwarded-scheme',
    'x-forwarded-port',
    'x-forwarded-prefix',
    'x-forwarded-server',
    'x-host',
    'x-original-host',
    'x-original-url',
    'x-rewrite-url',
  ]
  test.each(fields)('%s does not reach other clients', async (field) => {
    const rig = new Rig(linking(field))
    expect(await rig.text({ [field]: 'evil.example' })).toBe('link to evil.example')
    expect(await rig.text()).toBe('link to shop.example')
  })

  test('Forwarded with a host does not reach other clients, and its client does not divide the cache', async () => {
    const rig = new Rig(linking('forwarded'))
    await rig.text({ forwarded: 'for=1.2.3.4; host=evil.example' })
    expect(await rig.text({ forwarded: 'for=1.2.3.4' })).toBe('link to for=1.2.3.4')
    await rig.text({ forwarded: 'for=5.6.7.8' })
    await rig.text({ forwarded: 'host="evil.example";for=5.6.7.8' })
    expect(rig.seen.length).toBe(3)
  })

  test('of keyFields has a key of its own', async () => {
    const rig = new Rig(linking('x-tenant'), { keyFields: ['X-Tenant'] })
    await rig.text({ 'x-tenant': 'evil' })
    expect(await rig.text()).toBe('link to shop.example')
  })

  test('two key fields cannot look like another one', async () => {
    const rig = new Rig(linking('b'), { keyFields: ['a', 'b'] })
    await rig.text({ b: 'x' })
    expect(await rig.text({ a: 'b: x' })).toBe('link to shop.example')
  })
})

describe('an error that one request causes', () => {
  test.each([
    ['a header that is too large', 431, { 'x-large': 'a'.repeat(10_000) }],
    ['a header that is too large (400)', 400, { 'x-large': 'a'.repeat(10_000) }],
    ['a bad character', 400, { 'x-meta': '1' }],
    ['an unknown transfer coding', 501, { te: 'evil' }],
    ['an unacceptable type', 406, { accept: 'evil/type' }],
  ])('%s does not deny the page to others', async (_name, status, headers) => {
    const isBad = (request: Request): boolean => Object.keys(headers).some((name) => request.headers.has(name))
    // The framework adds a lifetime to all responses, errors included.
    const rig = new Rig((request) =>
      isBad(request) && status !== 501
        ? new Response('error', { status, headers: fresh })
        : isBad(request)
          ? new Response('error', { status })
          : new Response('page', { headers: fresh }),
    )
    expect(await rig.text(headers as Record<string, string>)).toBe('error')
    expect(await rig.text()).toBe('page')
  })

  test.each(['x-http-method-override', 'x-http-method', 'x-method-override'])(
    '%s does not deny the page to others',
    async (field) => {
      const rig = new Rig((request) =>
        request.headers.has(field)
          ? new Response('gone', { status: 404, headers: fresh })
          : new Response('page', { headers: fresh }),
      )
      expect(await rig.text({ [field]: 'DELETE' })).toBe('gone')
      expect(await rig.text()).toBe('page')
    },
  )
})

test('a body of a GET request bypasses the cache', async () => {
  const rig = new Rig(linking('x'))
  const answer = await rig.http.respond(
    { method: 'GET', url: 'https://shop.example/page', fields: new Headers(), hasBody: true },
    async () => new Response('from the body', { headers: fresh }),
  )
  expect(answer.status).toBe(200)
  expect(await rig.text()).toBe('link to shop.example')
})
