import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CacheError, type CacheErrorCode } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { FailingBackend } from './failing-backend.ts'

const warnings: [message: string, options: unknown][] = []
let core: typeof import('../../src/index.ts')

beforeEach(async () => {
  // A warning appears once in a process, and here once in a copy of the module.
  vi.resetModules()
  core = await import('../../src/index.ts')
  warnings.length = 0
  vi.spyOn(process, 'emitWarning').mockImplementation((warning, options) => {
    warnings.push([String(warning), options])
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

const codes = (): unknown[] => warnings.map(([, options]) => (options as { code: string }).code)

/** The reads, each of which makes up for a failing store. */
const reads: Readonly<Record<string, (cache: InstanceType<typeof core.Cache>) => Promise<unknown>>> = {
  get: (cache) => cache.get('secret'),
  has: (cache) => cache.has('secret'),
  hasMany: (cache) => cache.hasMany(['secret']),
  getMany: (cache) => cache.getMany(['secret']),
  getOrSet: (cache) => cache.getOrSet('secret', () => 1),
  getOrSetMany: (cache) => cache.getOrSetMany(['secret'], () => ({ secret: 1 })),
  wrap: (cache) => cache.wrap(async () => 1, { key: () => 'secret' })(),
}

describe('the first failure that nobody sees', () => {
  it.each(Object.keys(reads))(
    'is one warning of the process after %s, with its reason and advice and without the key',
    async (name) => {
      const cache = new core.Cache({ backend: new FailingBackend(), name: 'prices' })
      await reads[name]?.(cache)
      await reads[name]?.(cache)
      await cache.close()
      expect(warnings).toEqual([
        [
          expect.stringMatching(
            /cache 'prices'.*connect ECONNREFUSED \(UNAVAILABLE\).*address, user and password.*logger/,
          ),
          { type: 'CacheWarning', code: 'UNAVAILABLE' },
        ],
      ])
      expect(warnings[0]?.[0]).not.toContain('secret')
    },
  )

  it('is one warning for each code', async () => {
    const backend = new FailingBackend()
    const cache = new core.Cache({ backend })
    const all: CacheErrorCode[] = ['UNAVAILABLE', 'TIMEOUT', 'CIRCUIT_OPEN', 'BACKEND_FAILURE']
    for (const code of [...all, ...all]) {
      backend.code = code
      await cache.get('k')
    }
    expect(codes()).toEqual(all)
  })

  it('is one warning of an event of the backend', () => {
    const backend = new FailingBackend()
    const cache = new core.Cache({ backend, name: 'prices' })
    for (let time = 0; time < 2; time += 1)
      backend.hub.emit({ type: 'error', error: new CacheError('DAMAGED', 'not an item', { backend: 'failing' }) })
    expect(warnings).toEqual([
      [expect.stringMatching(/cache 'prices'.*same codec/), expect.objectContaining({ code: 'DAMAGED' })],
    ])
    expect(cache.name).toBe('prices')
  })

  it('is one warning of changes that write-behind could not write, with the reason and without their keys', async () => {
    const write = (): never => {
      throw new Error('the database is down')
    }
    const cache = new core.Cache({
      backend: new MapBackend(),
      writer: { write, delete: write },
      writeMode: 'behind',
      writeBehind: { maxAttempts: 1 },
    })
    await cache.set('secret', 1)
    await cache.close().catch(() => {})
    expect(codes()).toContain('WRITE_FAILED')
    expect(new Set(codes())).toEqual(new Set(['WRITE_FAILED']))
    expect(warnings.at(-1)?.[0]).toMatch(/the database is down.*gave these changes up/)
    expect(warnings.map(([message]) => message).join()).not.toContain('secret')
  })
})

describe('no warning appears', () => {
  it('where a listener gets the failure', async () => {
    const cache = new core.Cache({ backend: new FailingBackend() })
    cache.on('error', () => {})
    await cache.get('k')
    expect(warnings).toEqual([])
  })

  it('where a logger gets the failure, a refused value too', async () => {
    const backend = new FailingBackend()
    const cache = new core.Cache({ backend, logger: { warn() {}, error() {} } })
    await cache.get('k')
    backend.code = 'NOT_STORABLE'
    await cache.set('k', 1).catch(() => {})
    expect(warnings).toEqual([])
  })

  it.each(['set', 'add', 'delete', 'increment'] as const)('of a failure with which %s rejects', async (method) => {
    const cache = new core.Cache({ backend: new FailingBackend() })
    const call = method === 'increment' || method === 'delete' ? cache[method]('k') : cache[method]('k', 1)
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(warnings).toEqual([])
  })

  it("with which a read rejects, with readFailure 'reject'", async () => {
    const cache = new core.Cache({ backend: new FailingBackend(), readFailure: 'reject' })
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(cache.getMany(['k'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(warnings).toEqual([])
  })
})
