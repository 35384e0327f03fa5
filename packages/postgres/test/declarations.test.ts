import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cacheErrorCode } from '@cache/core/backend'
import pg from 'pg'
import { expect, it } from 'vitest'
import { PostgresBackend } from '../src/index.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const tsc = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url))
const importedFrom = /(?:from|import\()\s*['"]([^'"]+)['"]/g

/** The modules that a declaration file and its relative imports name. */
async function modulesOf(file: string, seen: Set<string> = new Set()): Promise<Set<string>> {
  if (seen.has(file)) return seen
  seen.add(file)
  for (const [, name = ''] of (await readFile(file, 'utf8')).matchAll(importedFrom)) {
    if (name.startsWith('.')) await modulesOf(resolve(dirname(file), name.replace(/\.[jt]s$/, '.d.ts')), seen)
    else seen.add(name)
  }
  return seen
}

it('the public declarations need no types of `pg`, which an old TypeScript cannot read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cache-declarations-'))
  const output = ['--noEmit', 'false', '--emitDeclarationOnly', '--rootDir', root, '--outDir', folder]
  await promisify(execFile)(tsc, ['-p', join(root, 'tsconfig.json'), ...output])
  const modules = await modulesOf(join(folder, 'src/index.d.ts'))
  const packages = [...modules].filter((name) => !name.startsWith(folder)).sort()
  expect(packages).toEqual(['@cache/codecs', '@cache/core/backend', 'node:stream', 'node:tls'])
  await rm(folder, { recursive: true })
}, 60_000)

function code(make: () => unknown): unknown {
  try {
    return make()
  } catch (error) {
    return cacheErrorCode(error)
  }
}

it('a pool and a client are not interchangeable, neither for TypeScript nor at run time', () => {
  const [pool, client] = [new pg.Pool(), new pg.Client()]
  // @ts-expect-error: a pool is no client
  expect(code(() => new PostgresBackend({ client: pool }))).toBe('INVALID_ARGUMENT')
  // @ts-expect-error: a client is no pool
  expect(code(() => new PostgresBackend({ pool: client, pipeline: true }))).toBe('INVALID_ARGUMENT')
  const options: pg.ClientConfig = { host: 'localhost', ssl: { ca: 'certificate' } }
  expect(code(() => new PostgresBackend({ options }))).toBeInstanceOf(PostgresBackend)
  // @ts-expect-error: an option that `pg` does not have
  expect(code(() => new PostgresBackend({ options: { hots: 'localhost' } }))).toBeInstanceOf(PostgresBackend)
})
