import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const folder = join(import.meta.dirname, '../decisions')
const records = globSync('[0-9]*.md', { cwd: folder }).sort()
const sections = ['Context', 'Choice', 'Rejected', 'Cost']
/** Records whose measurements stand in `packages/bench/notes`, and the number of lines that may remain. */
const measured = ['0024', '0045', '0046', '0060', '0061', '0062']
const mostLines = 10

interface DecisionRecord {
  readonly title: string
  readonly status: string
  readonly date: string
  readonly sections: readonly { readonly heading: string; readonly text: string }[]
}

function read(file: string): DecisionRecord {
  const text = readFileSync(join(folder, file), 'utf8')
  const head = /^# (\d{4}) (.+)\n\n- Status: (.+)\n- Date: (.+)\n\n## /.exec(text)
  if (head === null) throw new Error(`${file} must begin with '# NNNN Title', '- Status: …', '- Date: …' and a section`)
  const [, number, title = '', status = '', date = ''] = head
  if (number !== file.slice(0, 4)) throw new Error(`${file} has the number ${number} in its title`)
  const parts = text.split(/^## /m).slice(1)
  return {
    title,
    status,
    date,
    sections: parts.map((part) => {
      const end = part.indexOf('\n')
      return { heading: part.slice(0, end), text: part.slice(end).trim() }
    }),
  }
}

function row(file: string): string {
  const { title, status, date } = read(file)
  return `| [${file.slice(0, 4)}](${file}) | ${title} | ${status} | ${date} |`
}

describe('a decision record', () => {
  it.each(records)('has a status, a date and four sections (%s)', (file) => {
    const record = read(file)
    expect(record.status).toMatch(/^(?:accepted|superseded by \[(\d{4})\]\(\1-[a-z0-9-]+\.md\))$/)
    expect(record.date).toMatch(/^\d{4}-\d{2}-\d{2}$/)
    expect(new Date(record.date).toJSON()?.slice(0, 10)).toBe(record.date)
    expect(record.sections.map(({ heading }) => heading)).toEqual(sections)
    expect(record.sections.filter(({ text }) => text === '')).toEqual([])
  })

  it.each(measured)('is short where its measurements have a page of their own (%s)', (number) => {
    const file = records.find((one) => one.startsWith(number)) ?? ''
    const text = read(file).sections.map((section) => section.text)
    expect(text.join('\n')).toContain('](../../packages/bench/notes/')
    expect(text.join('\n').split('\n').length).toBeLessThanOrEqual(mostLines)
  })
})

describe('the index of decisions', () => {
  it('has one row for each record, in their order', () => {
    const index = readFileSync(join(folder, 'index.md'), 'utf8')
    const rows = index.split('\n').filter((line) => /^\| \[\d/.test(line))
    expect(rows).toEqual(records.map(row))
  })
})
