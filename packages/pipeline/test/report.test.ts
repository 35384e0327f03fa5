import { describe, expect, it } from 'vitest'
import { RunReport } from '../src/index.ts'

const report = new RunReport('p', [
  { node: 'load "x" <#1>', result: 'hit', ms: 0, savedMs: 1500, bytes: 10, dependencies: ['dir'] },
  {
    node: 'parts',
    result: 'miss',
    reason: 'dep:load "x" <#1>',
    ms: 2000,
    savedMs: 500,
    bytes: 10,
    items: { total: 100, hits: 97, computed: 2, duplicates: 1 },
    dependencies: ['load "x" <#1>'],
  },
  { node: 'sum', result: 'forced', ms: 4, savedMs: 0, bytes: 10, dependencies: ['parts', 'dir'] },
])

describe('a report', () => {
  it('has one line of text for each node', () => {
    expect(report.toText().split('\n')).toEqual([
      '[CACHE] load "x" <#1>: HIT (saved 1.50s)',
      '[CACHE] parts: MISS (2.00s, dep:load "x" <#1>, 2 of 100 items, saved 0.50s)',
      '[CACHE] sum: FORCED (0.00s)',
    ])
    const hit = { node: 'result', result: 'hit', ms: 0, savedMs: 0, bytes: 1, dependencies: [] } as const
    expect(new RunReport('p', [hit]).toText()).toBe('[CACHE] result: HIT')
  })

  it('has sums', () => {
    expect([report.hits, report.misses, report.savedMs]).toEqual([1, 2, 2000])
  })

  it('is a Mermaid flowchart with an arrow for each dependency on a node', () => {
    expect(report.toMermaid().split('\n').slice(0, 6)).toEqual([
      'flowchart LR',
      '  n0["load #quot;x#quot; #lt;#35;1#gt;<br/>hit<br/>saved 1.50s"]:::hit',
      '  n1["parts<br/>miss<br/>2.00s<br/>dep:load #quot;x#quot; #lt;#35;1#gt;<br/>2 of 100 items<br/>saved 0.50s"]:::miss',
      '  n2["sum<br/>forced<br/>0.00s"]:::forced',
      '  n0 --> n1',
      '  n1 --> n2',
    ])
  })

  it('can be written as JSON', () => {
    expect(JSON.parse(JSON.stringify(report))).toEqual({ pipeline: 'p', nodes: report.nodes })
  })
})
