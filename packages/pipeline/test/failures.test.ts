import { describe, expect, it } from 'vitest'
import { input, type PipelineNode, pipeline } from '../src/index.ts'
import { counting, errorOf, gate, openCache } from './rig.ts'

describe('a function that fails', () => {
  it('rejects the run with its node, its input and the kept results of other nodes', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, inputs: { n: input<number>() } })
    const good = p.node('good', { version: '1' }, ({ n }) => n + 1)
    const cause = new Error('broken')
    const bad = p.node('bad', { version: '1', deps: { good } }, (): number => {
      throw cause
    })
    const last = p.node('last', { version: '1', deps: { bad } }, ({ bad }) => bad)
    const error = await errorOf(p.run(last, { n: 1 }))
    expect(error).toMatchObject({ name: 'NodeError', node: 'bad', input: { good: 2 }, kept: ['good'], cause })
    expect(error.message).toBe("run: node 'bad' failed with good: broken; kept: the results of good")
  })

  it('lets running functions finish and keeps their results, and begins no others', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, concurrency: 2 })
    const { opened, open } = gate()
    const failed = gate()
    const slow = p.node('slow', { version: '1' }, async () => {
      await opened
      return 1
    })
    const bad = p.node('bad', { version: '1' }, async () => {
      failed.open()
      throw new Error('broken')
    })
    const waiting = counting(() => 1)
    const later = p.node('later', { version: '1' }, waiting)
    const all = p.node('all', { version: '1', deps: { bad, later, slow } }, () => 1)
    const error = errorOf(p.run(all))
    await failed.opened
    await new Promise(setImmediate)
    open()
    expect(await error).toMatchObject({ node: 'bad', kept: expect.arrayContaining(['slow']) })
    expect((await p.run(slow)).report.hits).toBe(1)
  })

  it('does not fail another run that had joined its run', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, concurrency: 1, inputs: { fails: input<boolean>() } })
    const { opened, open } = gate()
    const begun = gate()
    const gated = p.node('gated', { version: '1', deps: { fails: p.inputs.fails } }, async ({ fails }) => {
      begun.open()
      await opened
      if (fails) throw new Error('broken')
      return 1
    })
    // The first run computes this node behind the failing one, so it never begins; the second run waits for it.
    const shared = p.node('shared', { version: '1', deps: {} }, () => 2)
    const both = p.node('both', { version: '1', deps: { gated, shared } }, ({ shared }) => shared)
    const first = errorOf(p.run(both, { fails: true }))
    await begun.opened
    const second = p.run(shared)
    await new Promise(setImmediate)
    open()
    expect(await first).toMatchObject({ node: 'gated' })
    expect((await second).value).toBe(2)
  })

  it('with a value that is no error is named too', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const bad = p.node('bad', { version: '1' }, () => Promise.reject('text'))
    expect((await errorOf(p.run(bad))).message).toBe("run: node 'bad' failed: text; kept: no results of other nodes")
  })
})

describe('an aborted signal', () => {
  it('rejects the run at once, aborts the signal of the function, and keeps finished results', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const begun = gate()
    const first = p.node('first', { version: '1' }, () => 1)
    const signals: AbortSignal[] = []
    const never = p.node('never', { version: '1', deps: { first } }, async (_, { signal }) => {
      signals.push(signal)
      begun.open()
      await new Promise(() => {})
      return 1
    })
    const controller = new AbortController()
    const error = errorOf(p.run(never, {}, { signal: controller.signal }))
    await begun.opened
    controller.abort(new Error('enough'))
    expect(await error).toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } })
    expect(signals[0]?.aborted).toBe(true)
    expect((await p.run(first)).report.hits).toBe(1)
    const aborted = AbortSignal.abort()
    expect(await errorOf(p.run(never, {}, { signal: aborted }))).toMatchObject({ code: 'ABORTED' })
  })

  it('does not end a function whose result another run waits for', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const { opened, open } = gate()
    const begun = gate()
    const slow = counting(async (_: object, { signal }: { signal: AbortSignal }) => {
      begun.open()
      await opened
      return signal.aborted
    })
    const node = p.node('slow', { version: '1' }, slow)
    const controller = new AbortController()
    const first = errorOf(p.run(node, {}, { signal: controller.signal }))
    await begun.opened
    const second = p.run(node)
    await new Promise(setImmediate)
    controller.abort()
    expect(await first).toMatchObject({ code: 'ABORTED' })
    open()
    expect((await second).value).toBe(false)
    expect(slow.calls.length).toBe(1)
  })
})

describe('a function that changes its dependency', () => {
  it('is refused, whatever kind the dependency has', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, inputs: { words: input<string[]>() } })
    const { words } = p.inputs
    const list = p.node('list', { version: '1', deps: {} }, () => [[1], [2]])
    const mapped = p.map('mapped', { version: '1', over: list }, ([n = 0]) => [n])
    const nodes: readonly PipelineNode<unknown, 'words'>[] = [
      p.node('ofInput', { version: '1', deps: { words } }, ({ words }) => words.push('x')),
      p.node('ofNode', { version: '1', deps: { list } }, ({ list }) => list.pop()),
      p.node('ofMap', { version: '1', deps: { mapped } }, ({ mapped }) => mapped[0]?.push(5)),
      p.map('ofItem', { version: '1', over: list }, (item) => item.push(5)),
      p.map('ofDeps', { version: '1', over: list, deps: { words } }, (_, { deps }) => deps.words.push('x')),
    ]
    for (const node of nodes) {
      const error = await errorOf(p.run(node, { words: ['a'] }))
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(error.message).toContain(`node '${node.name}' has changed`)
    }
    expect((await p.run(list)).value).toEqual([[1], [2]])
  })
})
