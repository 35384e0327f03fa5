import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, it } from 'vitest'

const folder = new URL('./', import.meta.url)
const page = readFileSync(new URL('../../writing-a-backend.md', folder), 'utf8')
const contract = readFileSync(new URL('../../../packages/core/CONTRACT.md', folder), 'utf8')
const blocks = [...page.matchAll(/<!-- (\S+)#(\S+) -->\n```\w+\n([\s\S]*?)```/g)]

/** The lines between `// #region name` and `// #endregion name`, moved to the left edge. */
function region(file: string, name: string): string {
  const source = readFileSync(new URL(file, folder), 'utf8')
  const [, lines] = new RegExp(`// #region ${name}\n([\\s\\S]*?)\n *// #endregion ${name}\n`).exec(source) ?? []
  assert(lines !== undefined, `${file} has no region '${name}'`)
  const indent = /^ */.exec(lines)?.[0] ?? ''
  return `${lines.replaceAll(new RegExp(`^${indent}`, 'gm'), '')}\n`
}

describe('the page on writing a backend', () => {
  for (const [, file = '', name = '', text] of blocks) {
    it(`shows ${name} as it stands in ${file}`, () => {
      assert.equal(text, region(file, name))
    })
  }

  it('shows every region of the examples', () => {
    const shown = new Set(blocks.map(([, file, name]) => `${file}#${name}`))
    for (const file of readdirSync(folder)) {
      const source = readFileSync(new URL(file, folder), 'utf8')
      for (const [, name] of source.matchAll(/^ *\/\/ #region (\S+)$/gm))
        assert(shown.has(`${file}#${name}`), `${file}#${name}`)
    }
  })

  it('shows a run under plain node --test that passes', async () => {
    const run = promisify(execFile)(process.execPath, ['--test', 'node-test.mjs'], { cwd: folder })
    const { stdout } = await run
    assert.match(stdout, /\bfail 0\b/)
    assert.match(stdout, /\bpass [1-9]/)
  })

  it('names rules that exist', () => {
    const text = page.replaceAll(/```[\s\S]*?```/g, '')
    const ids = [...text.matchAll(/\b(\d{1,2}\.\d{1,2})\b/g)].map(([, id]) => id)
    assert(ids.length > 10)
    for (const id of ids) assert(contract.includes(`- **${id}** `), `there is no rule ${id}`)
  })
})
