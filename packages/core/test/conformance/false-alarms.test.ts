import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { chapters, type Harness, runRule } from '../../src/conformance/index.ts'
import type { CacheBackend } from '../../src/index.ts'
import { BytesBackend } from './bytes-backend.ts'
import { bytesHarness } from './bytes-harness.ts'

const rules = chapters.flatMap((chapter) => chapter.rules)

/** Rule 8.3 allows it. */
class YieldsTwice extends BytesBackend {
  override async *keys(prefix?: string): AsyncIterable<string> {
    for await (const key of super.keys(prefix)) {
      yield key
      yield key
    }
  }
}

function withoutBatches(backend: CacheBackend): CacheBackend {
  return {
    name: backend.name,
    get: (key) => backend.get(key),
    set: (item) => backend.set(item),
    delete: (key) => backend.delete(key),
    clear: (prefix) => backend.clear(prefix),
    keys: (prefix) => backend.keys?.(prefix) as AsyncIterable<string>,
    close: async () => backend.close?.(),
  }
}

async function passes(harness: Harness, ids: readonly string[]): Promise<void> {
  for (const rule of rules.filter(({ id }) => ids.includes(id))) {
    const outcome = await runRule(rule, harness)
    assert.equal(outcome.status, 'passed', `${rule.id}: ${outcome.status === 'failed' ? String(outcome.error) : ''}`)
  }
}

describe('a correct backend passes', () => {
  it('when its `keys` yields keys twice', async () => {
    await passes(bytesHarness(YieldsTwice), ['2.6', '4.2', '5.7', '8.1', '8.2', '8.3', '8.4', '9.6', '11.1', '14.1'])
  })

  it('when it has no batches', async () => {
    const harness = bytesHarness()
    await passes({ ...harness, open: () => withoutBatches(harness.open() as CacheBackend) }, [
      '4.1',
      '4.2',
      '4.3',
      '5.7',
    ])
  })
})
