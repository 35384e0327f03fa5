import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { isWellFormed } from '../../src/backend-kit/index.ts'

describe('isWellFormed', () => {
  it('refuses lone surrogates, which UTF-8 cannot hold, and nothing else', () => {
    for (const text of ['', 'a', 'é', '\u0000', '👩‍👩‍👧', '\uffff', '\ud83d\ude00']) {
      assert.equal(isWellFormed(text), true)
      assert.equal(Buffer.from(text, 'utf8').toString('utf8'), text)
    }
    for (const text of ['\ud800', 'a\udc00', '\udc00\ud800', '\ud800a']) assert.equal(isWellFormed(text), false)
  })
})
