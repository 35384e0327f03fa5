import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'vitest'
import { chapters } from '../../src/conformance/index.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const contract = read('CONTRACT.md')
const promises = [...contract.matchAll(/^- \*\*(\d+\.\d+)\*\* (.*)$/gm)].map(([, id, text]) => ({
  id,
  text: text ?? '',
}))
const rules = chapters.flatMap((chapter) => chapter.rules)

describe('CONTRACT.md and the rules', () => {
  it('hold the same promises in the same order: no promise without a rule, no rule without a promise', () => {
    assert.deepEqual(
      rules.map((rule) => rule.id),
      promises.map((promise) => promise.id),
    )
  })

  it('use the same words', () => {
    for (const [n, rule] of rules.entries()) {
      const sentence = `${rule.says.charAt(0).toUpperCase()}${rule.says.slice(1)}.`
      assert.equal(promises[n]?.text.slice(0, sentence.length), sentence, rule.id)
    }
  })

  it('have the same chapters', () => {
    const titles = [...contract.matchAll(/^## (\d.*)$/gm)].map(([, title]) => title)
    assert.deepEqual(
      chapters.map((chapter) => chapter.title),
      titles,
    )
    for (const [n, chapter] of chapters.entries()) {
      assert(chapter.title.startsWith(`${n + 1} `))
      const ids = chapter.rules.map((rule) => rule.id)
      assert.deepEqual(
        ids,
        ids.map((_, place) => `${n + 1}.${place + 1}`),
      )
    }
  })

  it('say no promise twice', () => {
    assert.equal(new Set(rules.map((rule) => rule.says)).size, rules.length)
  })
})
