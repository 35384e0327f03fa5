import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { FileBackend } from '../src/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** The names that the first cells of a table hold. */
function namesInTable(heading: string): string[] {
  const section = readme.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  const cells = section.split('\n').flatMap((line) => (line.startsWith('| `') ? [line.split('|')[1] ?? ''] : []))
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)/g)].map((match) => match[1] as string)).sort()
}

it('the table of options lists every option and no other', () => {
  let message = ''
  try {
    new FileBackend({ dir: 'd', none: 1 } as never)
  } catch (error) {
    message = (error as Error).message
  }
  expect(namesInTable('Options')).toEqual((message.split('allowed are ')[1] as string).split(', ').sort())
})

it('the table of methods lists every method that is not of the protocol', () => {
  const ofTheProtocol =
    'constructor get getMany set setMany delete deleteMany compareAndSet increment clear keys stats listen close'
  const own = Object.getOwnPropertyNames(FileBackend.prototype).filter(
    (name) => !ofTheProtocol.split(' ').includes(name),
  )
  expect(namesInTable('More than a backend').filter((name) => name !== 'ack')).toEqual(own.sort())
})
