import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { Cache } from '@cache/core'
import { expect, it } from 'vitest'
import { BoundedMap, MemoryBackend } from '../src/index.ts'
import { policyNames } from '../src/policy/create-policy.ts'
import { simulatePolicies } from '../src/simulate/index.ts'

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')

/** The nth example, without its imports, as a function of what it uses. */
async function run(n: number, scope: Record<string, unknown>, result: string): Promise<unknown> {
  const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code as string)
  const code = stripTypeScriptTypes(blocks[n] as string).replace(/^import .*$/gm, '')
  const AsyncFunction = (async () => {}).constructor as new (
    ...text: string[]
  ) => (...values: unknown[]) => Promise<unknown>
  return new AsyncFunction(...Object.keys(scope), `${code}\nreturn ${result}`)(...Object.values(scope))
}

it('the examples of the readme run', async () => {
  expect(await run(0, { Cache, MemoryBackend }, 'user')).toEqual({ id: 42, name: 'user 42' })
  expect(await run(1, { BoundedMap }, '[map.get("a"), map.get("b"), map.size]')).toEqual(['first', 'second', 2])
  expect(await run(2, { simulatePolicies }, 'rows.length')).toBe(2 * (policyNames.length + 1))
})

it('the readme lists every policy and every option', () => {
  for (const policy of policyNames) expect(readme).toContain(`\`${policy}\``)
  for (const option of [
    'maxEntries',
    'maxBytes',
    'maxEntryBytes',
    'weigh',
    'policy',
    'ttl',
    'onRemoval',
    'isolation',
    'codec',
    'name',
    'clock',
    'random',
  ]) {
    expect(readme).toContain(`| \`${option}\` |`)
  }
})
