import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { vi } from 'vitest'

type Handle = (path: string[], request: IncomingMessage, response: ServerResponse) => void
/** A test of the suite. `kind`: `required` (default) is a rule, `optimal` a recommendation, `check` a question. */
interface SuiteTest {
  readonly id: string
  readonly kind?: 'required' | 'optimal' | 'check'
  readonly browser_only?: boolean
  readonly depends_on?: readonly string[]
}
type Result = true | readonly [kind: string, message: string]

/** The pauses of the suite, in milliseconds. */
const pause = 3000

/** Node takes the `Date` of a response from the clock of the machine. */
function dateByTestClock(response: ServerResponse): void {
  const end = response.end
  response.sendDate = false
  response.end = ((...given: unknown[]) => {
    if (!response.headersSent && !response.hasHeader('date')) response.setHeader('date', new Date().toUTCString())
    return Reflect.apply(end, response, given)
  }) as ServerResponse['end']
}

async function part<T>(path: string): Promise<T> {
  return (await import(`http-cache-tests/${path}`)) as T
}

/**
 * Runs the suite of http-tests against a proxy in front of its own origin, one test after the other. The instant stands still, and the pauses of
 * the suite move it: a slow machine makes no response stale.
 */
export async function runHttpTests(proxied: (origin: RequestListener) => Promise<URL>): Promise<Summary> {
  const handlers = new Map<string, Handle>()
  for (const name of ['config', 'test', 'state'])
    handlers.set(name, (await part<{ default: Handle }>(`server/handle-${name}.mjs`)).default)
  const url = await proxied((request, response) => {
    dateByTestClock(response)
    const [name = '', ...path] = new URL(request.url ?? '/', 'http://origin').pathname.split('/').slice(1)
    handlers.get(name)?.(path, request, response)
  })
  const suites = (await part<{ default: { tests: SuiteTest[] }[] }>('tests/index.mjs')).default
  const runner = await part<{
    runTests(tests: unknown, fetch: unknown, browser: boolean, base: string, chunk: number): Promise<void>
    getResults(): Record<string, Result>
  }>('client/runner.mjs')
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) })
  const wait = globalThis.setTimeout
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(((...given: unknown[]) => {
    // Fetch has a timer of the same length.
    const isPause = given[1] === pause && new Error('caller').stack?.includes('client/utils.mjs') === true
    if (!isPause) return Reflect.apply(wait, globalThis, given)
    vi.setSystemTime(Date.now() + pause)
    return wait(given[0] as () => void, 0)
  }) as typeof setTimeout)
  try {
    await runner.runTests(suites, plainFetch, false, url.href.slice(0, -1), 1)
  } finally {
    vi.restoreAllMocks()
    vi.useRealTimers()
  }
  return summary(
    suites.flatMap((suite) => suite.tests),
    runner.getResults(),
  )
}

/** Fetch adds `Cache-Control: no-cache` to a request whose cache mode is `no-store`, and sets that mode where a condition is given. */
function plainFetch(url: string, init: object = {}): Promise<Response> {
  return fetch(url, { ...init, cache: 'force-cache' } as RequestInit)
}

interface Summary {
  /** Broken rules. */
  readonly failures: readonly { readonly id: string; readonly message: string }[]
  /** How many tests passed, recommendations and questions included. */
  readonly passed: number
}

function summary(tests: SuiteTest[], results: Record<string, Result>): Summary {
  const rules = tests.filter(({ kind }) => kind === undefined || kind === 'required')
  const failures = rules.flatMap(({ id }) => {
    const result = results[id]
    return result === true || result === undefined ? [] : [{ id, message: result.join(': ') }]
  })
  return { failures, passed: tests.filter(({ id }) => results[id] === true).length }
}
