import { execFile } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type FoundServer, postgresServer, redisServer } from '@cache/workspace'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
/** Beside the packages that the code imports. */
const folder = join(import.meta.dirname, '../.code')
/** `writing-a-backend.md` grows one example over many blocks, and has a test of its own. */
const pages = globSync(['README.md', 'packages/*/README.md'], { cwd: root }).sort()

/** The environment of the programs. */
const env = { ...process.env, CACHE_KEY: Buffer.alloc(32, 7).toString('base64') }

let redis: FoundServer
let postgres: FoundServer

beforeAll(async () => {
  mkdirSync(folder, { recursive: true })
  redis = await redisServer()
  postgres = await postgresServer()
}, 300_000)

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await redis.stop()
  await postgres.stop()
})

/** The blocks of a page that are whole programs, and the line on which each begins. */
function programs(page: string): { readonly line: number; readonly code: string }[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)]
    .map((match) => ({ line: text.slice(0, match.index).split('\n').length, code: match[1] ?? '' }))
    .filter(({ code }) => /^import /m.test(code))
}

/** The texts of the comments `prints: …` of a program, in their order. */
function promised(code: string): string[] {
  return [...code.matchAll(/\/\/ prints: (.*)$/gm)].map((match) => match[1] ?? '')
}

describe('programs in the documentation', () => {
  for (const page of pages) {
    for (const { line, code } of programs(page)) {
      it(`${page}:${line} runs, and prints the texts of its comments`, async () => {
        const file = join(folder, `${page.replaceAll(/[/.]/g, '-')}-${line}.ts`)
        const cwd = mkdtempSync(join(tmpdir(), 'cache-docs-'))
        const served = code
          .replaceAll(/redis:\/\/localhost(?::6379)?/g, redis.url)
          .replaceAll(/postgres:\/\/[^'"`]*localhost(?::5432)?[^'"`]*/g, postgres.url)
        writeFileSync(file, served)
        try {
          const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd, env, timeout: 60_000 })
          const printed = stdout.split('\n').filter((text) => text !== '')
          if (promised(code).length > 0) expect(printed).toEqual(promised(code))
        } finally {
          rmSync(cwd, { recursive: true, force: true })
        }
      }, 90_000)
    }
  }

  it('are there', () => {
    expect(pages.flatMap(programs).length).toBeGreaterThan(5)
  })
})
