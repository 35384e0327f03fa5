import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { FileBackend } from '../src/index.ts'
import * as maintenance from '../src/maintenance/index.ts'
import * as queue from '../src/queue/index.ts'
import * as streams from '../src/streams/index.ts'
import * as transactions from '../src/transactions/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** The rows of a table, each with its cells. */
function rowsOf(heading: string): string[][] {
  const section = readme.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  return section.split('\n').flatMap((line) => (line.startsWith('| `') ? [line.split(' | ')] : []))
}

/** The names in the first cells of the rows. */
function namesIn(rows: readonly string[][]): string[] {
  return rows.flatMap(([cell = '']) => [...cell.matchAll(/`(\w+)/g)].map((match) => match[1] as string)).sort()
}

it('the table of options lists every option and no other', () => {
  let message = ''
  try {
    new FileBackend({ dir: 'd', none: 1 } as never)
  } catch (error) {
    message = (error as Error).message
  }
  expect(namesIn(rowsOf('Options'))).toEqual((message.split('allowed are ')[1] as string).split(', ').sort())
})

const beyond = rowsOf('Beyond the protocol')

it('the table beyond the protocol lists every method that is not of the protocol', () => {
  const ofTheProtocol =
    'constructor get getMany set setMany delete deleteMany compareAndSet increment clear keys stats describe listen close'
  const own = Object.getOwnPropertyNames(FileBackend.prototype).filter(
    (name) => !ofTheProtocol.split(' ').includes(name),
  )
  expect(namesIn(beyond.filter(([, from]) => from === 'method'))).toEqual(own.sort())
})

it.each(Object.entries({ maintenance, queue, streams, transactions }))(
  'the table beyond the protocol lists every export of the entry point %s',
  (name, entryPoint) => {
    const rows = beyond.filter(([, from]) => from === `\`@cache/file/${name}\``)
    expect(namesIn(rows)).toEqual(Object.keys(entryPoint).sort())
  },
)

it('the table beyond the protocol names every entry point', () => {
  const entryPoints = new Set(
    beyond.map(([, from = '']) => from.replaceAll('`', '')).filter((from) => from !== 'method'),
  )
  const exported = Object.keys(manifest.exports).filter((path) => path !== '.')
  expect([...entryPoints].sort()).toEqual(exported.map((path) => path.replace('.', '@cache/file')).sort())
  expect(Object.keys(manifest.publishConfig.exports)).toEqual(Object.keys(manifest.exports))
})
