import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'vitest'

const page = new URL('../../../../docs/races.md', import.meta.url)
const contract = readFileSync(new URL('../../CONTRACT.md', import.meta.url), 'utf8')
const rows = readFileSync(page, 'utf8')
  .split('\n')
  .filter((line) => /^\| R\d+ \|/.test(line))
  .map((line) => {
    const [race = '', , , rules = '', tests = ''] = line.replace(/^\| | \|$/g, '').split(' | ')
    return { race, rules, tests }
  })

describe('the page on races', () => {
  it('has a row for each race from R1 to R42', () => {
    const races = Array.from({ length: 42 }, (_, n) => `R${n + 1}`)
    assert.deepEqual(
      rows.map((row) => row.race),
      races,
    )
  })

  it('names the rules that CONTRACT.md has for each race', () => {
    for (const { race, rules } of rows) {
      const own = [...contract.matchAll(/^- \*\*(\d+\.\d+)\*\* .*\[([^\]]*)\]$/gm)]
      const ids = own.filter(([, , races]) => races?.split(', ').includes(race)).map(([, id]) => id)
      assert.equal(rules, ids.join(', ') || '—', race)
    }
  })

  it('names test files that have a test with the number in its title', () => {
    for (const { race, tests } of rows) {
      for (const [, path = ''] of tests.matchAll(/\]\(([^)]+)\)/g)) {
        const source = readFileSync(new URL(path, page), 'utf8')
        assert.match(source, new RegExp(`(it|describe)\\(\\s*['\`].*\\b${race}\\b`), `${race} in ${path}`)
      }
    }
  })

  it('leaves no race without a rule or a test', () => {
    const untested = rows.filter(({ rules, tests }) => rules === '—' && !tests.includes(']('))
    assert.deepEqual(
      untested.map(({ race }) => race),
      [],
    )
  })
})
