// A reporter for `node --test`: one line of JSON per test, none for suites.
export default async function* report(source) {
  // The names of the suites around the test, outermost first: events come in the order of declaration.
  const path = []
  for await (const { type, data } of source) {
    if (type === 'test:start') path.splice(data.nesting, path.length, data.name)
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details.type === 'suite') continue
    const skipped = data.skip !== undefined && data.skip !== false
    const status = skipped ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed'
    const error = data.details.error?.cause ?? data.details.error
    const reason = status === 'failed' ? String(error?.stack ?? error) : undefined
    yield `${JSON.stringify({ name: path.slice(0, data.nesting).concat(data.name).join(' > '), status, reason })}\n`
  }
}
