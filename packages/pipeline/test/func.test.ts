import { describe, expect, it } from 'vitest'
import { pipeline } from '../src/index.ts'
import { counting, errorOf, openCache } from './rig.ts'

describe('a decorated function', () => {
  it('runs once for equal arguments, also in another pipeline object of its name', async () => {
    const { cache } = openCache()
    const double = counting((n: number, options?: { readonly round: boolean }) =>
      options?.round === true ? 2 * Math.round(n) : 2 * n,
    )
    const make = (version: string) => pipeline({ name: 'p', cache }).func('double', { version }, double)
    const first = make('1')
    expect(await first(1.4)).toBe(2.8)
    expect(await first(1.4, { round: true })).toBe(2)
    expect(await first(1.4)).toBe(2.8)
    expect(await make('1')(1.4, { round: true })).toBe(2)
    expect(double.calls.length).toBe(2)
    expect(await make('2')(1.4)).toBe(2.8)
    expect(double.calls.length).toBe(3)
  })

  it('has the types of the function', async () => {
    const p = pipeline({ name: 'p', cache: openCache().cache })
    const text = p.func('text', { version: '1' }, async (n: number) => `${n}`)
    const result: string = await text(1)
    expect(result).toBe('1')
    // @ts-expect-error: the argument is a number.
    expect(await text('x')).toBe('x')
  })

  it('is identified by its text without a version', async () => {
    const { cache } = openCache()
    expect(await pipeline({ name: 'p', cache }).func('one', {}, () => 1)()).toBe(1)
    expect(await pipeline({ name: 'p', cache }).func('one', {}, () => 2)()).toBe(2)
  })

  it('rejects with its error, and with INVALID_ARGUMENT for arguments without a hash', async () => {
    const p = pipeline({ name: 'p', cache: openCache().cache })
    const fail = p.func('fail', { version: '1' }, (_: unknown) => {
      throw new Error('broken')
    })
    expect(await errorOf(fail(1))).toMatchObject({ name: 'NodeError', node: 'fail', cause: { message: 'broken' } })
    const error = await errorOf(fail(() => 1))
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(error.message).toBe(
      "fail: the input 'arguments' has a function at value[0], which has no hash; pass plain data, or give its class a method [ownHash]",
    )
    expect(() => p.func('fail', {}, () => 1)).toThrow('already has a node')
    expect(() => p.func('other', {}, 1 as never)).toThrow('fn must be')
  })
})
