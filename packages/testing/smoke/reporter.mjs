// A reporter for `node --test`: one line of JSON per test, none for suites.
export default async function* report(source) {
  for await (const { type, data } of source) {
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details.type === 'suite') continue
    const skipped = data.skip !== undefined && data.skip !== false
    const status = skipped ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed'
    const error = data.details.error?.cause ?? data.details.error
    const reason = status === 'failed' ? String(error?.stack ?? error) : undefined
    yield `${JSON.stringify({ name: data.name, status, reason })}\n`
  }
}
