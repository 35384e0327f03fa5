import { describe, expect, it } from 'vitest'
import {
  type CacheBackend,
  type Capabilities,
  forwardCapabilities,
  type NearReader,
  reasonForAbsence,
} from '../../src/backend-kit/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'

function four(): CacheBackend {
  return {
    name: 'four',
    get: async () => undefined,
    set: async () => {},
    delete: async () => false,
    clear: async () => {},
  }
}

const absent = { absent: 'the test has no use for it' } as const
const allAbsent = {
  getMany: absent,
  setMany: absent,
  deleteMany: absent,
  compareAndSet: absent,
  increment: absent,
  keys: absent,
  stats: absent,
  describe: absent,
  listen: absent,
  inTransaction: absent,
  near: absent,
  sync: absent,
  close: absent,
}

describe('forwardCapabilities', () => {
  it('gives the decorator a member only where every part has it', () => {
    const increment = (one: unknown, other: unknown): never => ({ one, other }) as never
    const decorate = (...parts: CacheBackend[]): CacheBackend => {
      const decorator = four()
      forwardCapabilities<CacheBackend>(decorator, parts, { ...allAbsent, increment })
      return decorator
    }
    expect(decorate(new MapBackend(), four()).increment).toBe(undefined)
    expect(decorate(four(), new MapBackend()).increment).toBe(undefined)
    expect(decorate(new MapBackend(), new MapBackend()).increment).toEqual({
      one: expect.any(Function),
      other: expect.any(Function),
    })
  })

  it('passes the members bound to their parts, in the order of the parts', async () => {
    const [one, other] = [new MapBackend(), new MapBackend()]
    await one.set({ key: 'k', value: 1, version: 'v', createdAt: 1 })
    const decorator = four()
    forwardCapabilities<CacheBackend>(decorator, [one, other], {
      ...allAbsent,
      getMany: (ofOne, ofOther) => async (keys) => [...(await ofOther(keys)), ...(await ofOne(keys))],
    })
    expect((await decorator.getMany?.(['k']))?.map((item) => item?.value)).toEqual([undefined, 1])
  })

  it('takes the parts of one member alone where they are named', () => {
    const near: Required<NearReader> = { get: () => undefined, generation: () => 7 }
    const decorator = four()
    forwardCapabilities<CacheBackend>(decorator, [{ ...four(), near }, four()], {
      ...allAbsent,
      near: { from: [{ ...four(), near }], make: (reader) => reader as Required<NearReader> },
    })
    expect(decorator.near).toBe(near)
  })

  it('leaves a member absent where its maker returns undefined', () => {
    const decorator = four()
    forwardCapabilities<CacheBackend>(decorator, [new MapBackend()], { ...allAbsent, keys: () => undefined })
    expect(decorator.keys).toBe(undefined)
    expect(reasonForAbsence(decorator, 'keys')).toBe(undefined)
  })

  it('keeps the reason of a member that the decorator never has', () => {
    const decorator = four()
    forwardCapabilities<CacheBackend>(decorator, [new MapBackend()], allAbsent)
    expect(reasonForAbsence(decorator, 'getMany')).toBe('the test has no use for it')
    expect(reasonForAbsence(new MapBackend(), 'getMany')).toBe(undefined)
  })

  it('compiles only with an entry for each member, and with every member of near', () => {
    class Listening implements CacheBackend {
      readonly name = 'listening'
      readonly get = async (): Promise<undefined> => undefined
      readonly set = async (): Promise<void> => {}
      readonly delete = async (): Promise<boolean> => false
      readonly clear = async (): Promise<void> => {}
      readonly listen = (): (() => void) => () => {}
    }
    const { close, ...withoutClose } = allAbsent
    // @ts-expect-error: an optional member of the protocol has no entry.
    const omitted: Capabilities<CacheBackend> = withoutClose
    const nearWithoutGeneration: Capabilities<CacheBackend> = {
      ...allAbsent,
      // @ts-expect-error: the near reader of the decorator has no `generation`.
      near: (near) => ({ get: (key: string) => near.get(key) }),
    }
    // @ts-expect-error: the class does not declare the member.
    const undeclared: Capabilities<Listening> = { ...allAbsent, listen: 'own', keys: (keys) => keys }
    // @ts-expect-error: the class does not always have the member.
    const notOwn: Capabilities<CacheBackend> = { ...allAbsent, listen: 'own' }
    const own: Capabilities<Listening> = { ...allAbsent, listen: 'own' }
    expect([close, omitted, nearWithoutGeneration, undeclared, notOwn, own].length).toBe(6)
  })
})
