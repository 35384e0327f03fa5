import { describe, expect, it } from 'vitest'
import { input, pipeline } from '../src/index.ts'
import { counting, keysOf, openCache, partOf } from './rig.ts'

describe('an explanation', () => {
  it('names what a run would do, without doing it', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, inputs: { n: input<number>() } })
    const work = counting((n: number) => n % 2)
    const odd = p.node('odd', { version: '1' }, ({ n }) => work(n))
    const shown = p.node('shown', { version: '1', deps: { odd } }, ({ odd }) => (odd === 1 ? 'odd' : 'even'))
    const short = async (n: number, refresh = [] as (typeof odd)[]) =>
      (await p.explain(shown, { n }, { refresh })).map(({ result, reason }) => reason ?? result)
    expect(await short(1)).toEqual(['absent', 'dep:odd'])
    expect(await keysOf(cache)).toEqual([])
    await p.run(shown, { n: 1 })
    expect(await short(1)).toEqual(['hit', 'hit'])
    expect(await short(3)).toEqual(['input:n', 'dep:odd'])
    expect(await short(1, [odd])).toEqual(['forced', 'dep:odd'])
    expect(await p.explain(shown, { n: 3 })).toEqual([
      { node: 'odd', result: 'miss', reason: 'input:n', dependencies: ['n'] },
      { node: 'shown', result: 'unknown', reason: 'dep:odd', dependencies: ['odd'] },
    ])
    expect(work.calls.length).toBe(1)
  })

  it('names the nodes whose results would be read but are not there', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const list = p.node('list', { version: '1' }, () => [1])
    const more = p.map('more', { version: '1', over: list }, (n) => n + 1)
    const sum = p.node('sum', { version: '1', deps: { more } }, ({ more }) => more.length)
    await p.run(sum)
    const short = async () => (await p.explain(sum)).map(({ node, result }) => `${node} ${result}`)
    for (const prefix of ['blob:', 'list:'])
      for (const key of await keysOf(partOf(cache), prefix)) await partOf(cache).delete(key)
    expect(await short()).toEqual(['list miss', 'more miss', 'sum miss'])
    await p.run(sum)
    expect(await short()).toEqual(['list hit', 'more hit', 'sum hit'])
    // Nothing reads this list as long as the sum is there.
    for (const key of await keysOf(partOf(cache), 'list:')) await partOf(cache).delete(key)
    expect(await short()).toEqual(['list hit', 'more hit', 'sum hit'])
  })
})
