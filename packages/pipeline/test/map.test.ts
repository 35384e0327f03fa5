import { describe, expect, it } from 'vitest'
import { input, pipeline } from '../src/index.ts'
import { counting, openCache } from './rig.ts'

interface Row {
  readonly id: number
  readonly text: string
}

function open(cache = openCache().cache) {
  const p = pipeline({ name: 'p', cache, inputs: { rows: input<readonly Row[]>(), factor: input<number>() } })
  const { rows, factor } = p.inputs
  const measure = counting(({ text }: Row, { deps }: { deps: { factor: number } }) => text.length * deps.factor)
  const sizes = p.map('sizes', { over: rows, deps: { factor }, version: '1', key: ({ id }) => id }, measure)
  return { p, sizes, measure, cache }
}

const rows = ['a', 'bb', 'ccc'].map((text, id) => ({ id, text }))

describe('a map', () => {
  it('computes only new and changed items, and keeps the order of the items', async () => {
    const { p, sizes, measure } = open()
    expect((await p.run(sizes, { rows, factor: 2 })).value).toEqual([2, 4, 6])
    const changed = [...rows.slice(1).reverse(), { id: 0, text: 'aaaa' }, { id: 9, text: '' }]
    const { value, report } = await p.run(sizes, { rows: changed, factor: 2 })
    expect(value).toEqual([6, 4, 8, 0])
    expect(report.nodes[0]).toMatchObject({
      reason: 'input:rows',
      items: { total: 4, hits: 2, computed: 2, duplicates: 0 },
    })
    expect(measure.calls.map(([row]) => row.text)).toEqual(['a', 'bb', 'ccc', 'aaaa', ''])
  })

  it('computes equal items once', async () => {
    const { p, sizes, measure } = open()
    const same = [rows[1], rows[0], { text: 'bb', id: 1 }].map((row) => row as Row)
    const { value, report } = await p.run(sizes, { rows: same, factor: 1 })
    expect(value).toEqual([2, 1, 2])
    expect(report.nodes[0]?.items).toEqual({ total: 3, hits: 0, computed: 2, duplicates: 1 })
    expect(measure.calls.length).toBe(2)
  })

  it('computes every item again when a dependency of its function changes', async () => {
    const { p, sizes } = open()
    await p.run(sizes, { rows, factor: 1 })
    const { value, report } = await p.run(sizes, { rows, factor: 3 })
    expect(value).toEqual([3, 6, 9])
    expect(report.nodes[0]).toMatchObject({ reason: 'input:factor', items: { computed: 3 } })
  })

  it('computes every item when it is refreshed', async () => {
    const { p, sizes } = open()
    await p.run(sizes, { rows, factor: 1 })
    const { report } = await p.run(sizes, { rows, factor: 1 }, { refresh: [sizes] })
    expect(report.nodes[0]).toMatchObject({ result: 'forced', items: { hits: 0, computed: 3 } })
  })

  it('of no items has no results', async () => {
    const { p, sizes } = open()
    expect((await p.run(sizes, { rows: [], factor: 1 })).value).toEqual([])
    expect((await p.run(sizes, { rows: [], factor: 1 })).value).toEqual([])
  })

  it('reads its items in batches', async () => {
    const { p, sizes, cache } = open()
    const many = Array.from({ length: 2500 }, (_, id) => ({ id, text: 'x'.repeat(id % 100) }))
    await p.run(sizes, { rows: many, factor: 1 })
    const single: string[] = []
    cache.on('hit', ({ key }) => {
      if (key.startsWith('record:')) single.push(key)
    })
    const { report } = await p.run(sizes, { rows: [...many, { id: -1, text: 'new' }], factor: 1 })
    expect(report.nodes[0]?.items).toMatchObject({ hits: 2500, computed: 1 })
    expect(single).toEqual([])
  })

  it('over a map reads only the values of changed items', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, inputs: { words: input<string[]>() } })
    const upper = p.map('upper', { over: p.inputs.words, version: '1' }, (word) => word.toUpperCase())
    const framed = p.map('framed', { over: upper, version: '1' }, (word) => `<${word}>`)
    const count = p.node('count', { version: '1', deps: { framed } }, ({ framed }) => framed.length)
    expect((await p.run(framed, { words: ['a', 'b', 'c'] })).value).toEqual(['<A>', '<B>', '<C>'])
    await p.run(count, { words: ['a', 'b', 'c'] })
    const blobs = cache.namespace('pipeline').namespace('p')
    // The value of an unchanged item is not there, and is not needed.
    for await (const [key, value] of blobs.entries('blob:')) if (value === 'A') await blobs.delete(key)
    const { value, report } = await p.run(framed, { words: ['c', 'a', 'd'] })
    expect(value).toEqual(['<C>', '<A>', '<D>'])
    expect(report.nodes.map(({ items }) => items?.computed)).toEqual([1, 1])
  })

  it('whose results are equal to bytes or to a list of another node has a hash of its own', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, inputs: { list: input<number[]>() } })
    const items = p.map('items', { over: p.inputs.list, version: '1' }, (n) => n)
    const array = p.node('array', { version: '1' }, ({ list }) => list)
    const fromMap = p.node('fromMap', { version: '1', deps: { items } }, ({ items }) => items.length)
    const fromArray = p.node('fromArray', { version: '1', deps: { array } }, ({ array }) => array.length)
    expect((await p.run(fromMap, { list: [1, 2] })).value).toBe(2)
    expect((await p.run(fromArray, { list: [1, 2] })).value).toBe(2)
  })

  it('stores each item when it is done, so that a failed run continues where it stopped', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, concurrency: 1 })
    let broken = true
    const list = p.node('list', { version: '1' }, () => [1, 2, 3, 4])
    const work = counting((n: number) => {
      if (n === 3 && broken) throw new Error('three')
      return -n
    })
    const all = p.map('all', { over: list, version: '1' }, work)
    await expect(p.run(all)).rejects.toMatchObject({
      name: 'NodeError',
      node: 'all',
      item: '2',
      input: 3,
      kept: ['list'],
    })
    broken = false
    const { value, report } = await p.run(all)
    expect(value).toEqual([-1, -2, -3, -4])
    expect(report.nodes[1]?.items).toMatchObject({ hits: 2, computed: 2 })
    expect(work.calls.map(([n]) => n)).toEqual([1, 2, 3, 3, 4])
  })
})
