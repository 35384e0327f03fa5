import { Cache, nullBackend } from '@cache/core'
import { describe, expect, it } from 'vitest'
import { type Pipeline, type PipelineEventPayloads, pipeline } from '../src/index.ts'
import { counting, gate, keysOf, openCache, partOf } from './rig.ts'

/** The damage that the pipeline reports. */
function damageOf(p: Pipeline): PipelineEventPayloads['damaged'][] {
  const events: PipelineEventPayloads['damaged'][] = []
  p.on('damaged', (event) => events.push(event))
  return events
}

/** Writes a value in place of all values of a pipeline whose keys have this prefix. */
async function overwrite(cache: Cache, prefix: string, value: unknown): Promise<void> {
  for (const key of await keysOf(partOf(cache), prefix)) await partOf(cache).set(key, value)
}

async function remove(cache: Cache, prefix: string): Promise<void> {
  for (const key of await keysOf(partOf(cache), prefix)) await partOf(cache).delete(key)
}

function open() {
  const { cache } = openCache()
  const p = pipeline({ name: 'p', cache })
  const list = p.node('list', { version: '1' }, () => [1, 2])
  const more = p.map('more', { version: '1', over: list }, (n) => n + 1)
  const sum = p.node('sum', { version: '1', deps: { more } }, ({ more }) => more.reduce((all, one) => all + one, 0))
  return { cache, p, list, more, sum, damage: damageOf(p) }
}

describe('a damaged record', () => {
  it.each([7, 'text', null, [], { format: 1 }, { format: 0, hash: 'x'.repeat(43), bytes: 1, ms: 1 }])(
    'such as %j is a miss with an event, and is replaced',
    async (value) => {
      const { cache, p, sum, damage } = open()
      await p.run(sum)
      await overwrite(cache, 'record:', value)
      const { value: result, report } = await p.run(sum)
      expect(result).toBe(5)
      expect(report.nodes.map(({ reason }) => reason)).toEqual(['damaged', 'damaged', 'damaged'])
      expect(damage.map(({ node, part }) => `${node} ${part}`)).toEqual(['list record', 'more record', 'sum record'])
      expect((await p.run(sum)).report.hits).toBe(3)
    },
  )

  it('of an item or of the latest result of a node is a miss', async () => {
    const { cache, p, sum } = open()
    await p.run(sum)
    await overwrite(cache, 'item:', 'text')
    await overwrite(cache, 'latest:', 'text')
    await remove(cache, 'record:')
    const { value, report } = await p.run(sum)
    expect(value).toBe(5)
    expect(report.nodes.map(({ reason }) => reason)).toEqual(['absent', 'absent', 'absent'])
    expect(report.nodes[1]?.items?.computed).toBe(2)
  })
})

describe('a damaged result', () => {
  it('is computed again, with an event, when it is read', async () => {
    const { cache, p, sum, damage } = open()
    await p.run(sum)
    await overwrite(cache, 'blob:', 'text')
    const { value, report } = await p.run(sum)
    expect(value).toBe(5)
    // The result of the map is read to compute the sum, and that of the list to compute the map.
    expect(report.nodes.map(({ node, reason }) => `${node} ${reason}`)).toEqual([
      'list damaged',
      'more damaged',
      'sum damaged',
    ])
    expect(new Set(damage.map(({ node, part }) => `${node} ${part}`))).toEqual(
      new Set(['sum blob', 'more blob', 'list blob']),
    )
    expect((await p.run(sum)).report.hits).toBe(3)
    expect(damage.length).toBe(4)
  })

  it('that a function or the application has changed in memory is noticed', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const damage = damageOf(p)
    const list = p.node('list', { version: '1' }, () => [1, 2])
    const { value } = await p.run(list)
    value.push(3)
    expect((await p.run(list)).value).toEqual([1, 2])
    expect(damage).toHaveLength(1)
  })

  it('of one item does not recompute the other items', async () => {
    const { cache, p, more } = open()
    await p.run(more)
    for (const key of await keysOf(partOf(cache), 'blob:'))
      if ((await partOf(cache).get(key)) === 3) await partOf(cache).set(key, 4)
    const { value, report } = await p.run(more)
    expect(value).toEqual([2, 3])
    expect(report.nodes[1]?.items).toMatchObject({ hits: 1, computed: 1 })
  })

  it('such as a list of hashes is computed again', async () => {
    const { cache, p, more, damage } = open()
    await p.run(more)
    await overwrite(cache, 'list:', 'x'.repeat(43))
    expect((await p.run(more)).value).toEqual([2, 3])
    await overwrite(cache, 'list:', 7)
    expect((await p.run(more)).value).toEqual([2, 3])
    expect(damage.map(({ node }) => node)).toEqual(['more', 'more'])
  })
})

describe('a missing result', () => {
  it('is computed again only where it is read', async () => {
    const { cache, p, sum } = open()
    await p.run(sum)
    await remove(cache, 'blob:')
    await remove(cache, 'list:')
    const { value, report } = await p.run(sum)
    expect(value).toBe(5)
    expect(report.nodes.map(({ reason }) => reason)).toEqual(['absent', 'absent', 'absent'])
  })

  it('whose function now returns another one leads its dependents to look again', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    let rate = 1
    const load = p.node('load', { version: '1' }, () => rate)
    const shown = p.node('shown', { version: '1', deps: { load } }, ({ load }) => `rate ${load}`)
    const both = p.node('both', { version: '1', deps: { load, shown } }, ({ load, shown }) => [load, shown])
    await p.run(both)
    rate = 2
    await remove(cache, 'blob:')
    const { value, report } = await p.run(both)
    expect(value).toEqual([2, 'rate 2'])
    expect(report.nodes.map(({ node }) => node)).toEqual(['load', 'shown', 'both'])
    expect((await p.run(both)).value).toEqual([2, 'rate 2'])
  })

  it('of a cache that keeps no results leads to one computation of each node in each run', async () => {
    const meta = openCache().cache
    const p = pipeline({ name: 'p', cache: { meta, blobs: new Cache({ backend: nullBackend }) } })
    let rate = 0
    const load = counting(() => {
      rate += 1
      return [rate]
    })
    const list = p.node('list', { version: '1' }, load)
    const more = p.map('more', { version: '1', over: list }, (n) => n + 1)
    const sum = p.node('sum', { version: '1', deps: { more, list } }, ({ more, list }) => [...more, ...list])
    expect((await p.run(sum)).value).toEqual([2, 1])
    expect((await p.run(sum)).value).toEqual([3, 2])
    expect(load.calls.length).toBe(2)
  })

  it('of a run whose cache is cleared meanwhile does not fail the run', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const begun = gate()
    const { opened, open: go } = gate()
    const one = p.node('one', { version: '1' }, () => 1)
    const two = p.node('two', { version: '1', deps: { one } }, async ({ one }) => {
      begun.open()
      await opened
      return one + 1
    })
    const run = p.run(two)
    await begun.opened
    await p.clear()
    go()
    expect((await run).value).toBe(2)
    // A result that was computed before the removal is not stored after it.
    expect((await p.run(two)).report.nodes.map(({ result }) => result)).toEqual(['miss', 'miss'])
  })
})
