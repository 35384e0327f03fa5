/**
 * Imports the entry point in its first argument and sends to its parent what the import has changed in the process. The
 * further arguments are modules of third parties that the package uses. They are imported before, so that only changes
 * by the package itself count.
 */
import { EventEmitter } from 'node:events'
import { builtinModules, createRequire } from 'node:module'

/** A property, or the contents of a state, with the name under which a change is reported. */
type State = Map<string, unknown>

const depthOfModules = 4

/** Objects that the runtime changes by itself, or that are this module's own. */
const ignored: ReadonlySet<string> = new Set([
  'process.report',
  'process.config',
  'node:module._cache',
  'node:module._pathCache',
  'node:process.moduleLoadList',
  'globalThis.process.moduleLoadList',
])

function describeKey(key: string | symbol): string {
  return typeof key === 'symbol' ? `[${String(key)}]` : key
}

/** Adds the own properties of the value, and of what they hold, to the state. Getters are not called. */
function addProperties(state: State, seen: Set<unknown>, name: string, value: unknown, depth: number): void {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  if (!isObject || seen.has(value) || ignored.has(name)) return
  seen.add(value)
  for (const key of Reflect.ownKeys(value)) {
    const path = `${name}.${describeKey(key)}`
    let descriptor: PropertyDescriptor | undefined
    try {
      descriptor = Reflect.getOwnPropertyDescriptor(value, key)
    } catch {
      continue
    }
    if (descriptor === undefined) continue
    const { configurable, enumerable, writable, get, set } = descriptor
    state.set(`${path} (flags)`, `${configurable} ${enumerable} ${writable}`)
    if (get !== undefined) state.set(`${path} (get)`, get)
    if (set !== undefined) state.set(`${path} (set)`, set)
    if (!('value' in descriptor)) continue
    state.set(path, descriptor.value)
    if (depth > 0) addProperties(state, seen, path, descriptor.value, depth - 1)
  }
  state.set(`${name} (prototype)`, Object.getPrototypeOf(value))
  state.set(`${name} (extensible)`, Object.isExtensible(value))
  if (depth > 0) addProperties(state, seen, `${name} (prototype)`, Object.getPrototypeOf(value), depth - 1)
}

const require = createRequire(import.meta.url)
const builtins = builtinModules
  .filter(
    (name) => !name.startsWith('_') && !['sys', 'punycode', 'wasi', 'repl', 'test', 'test/reporters'].includes(name),
  )
  .map(
    (name) =>
      [
        `node:${name.replace(/^node:/, '')}`,
        require(name.startsWith('node:') ? name : `node:${name}`) as unknown,
      ] as const,
  )

/** Prototypes that no global has as a property. */
const hidden: Readonly<Record<string, unknown>> = {
  'generator prototype': Object.getPrototypeOf(function* () {}).prototype,
  'async generator prototype': Object.getPrototypeOf(async function* () {}).prototype,
  'async function prototype': Object.getPrototypeOf(async () => {}),
  'array iterator prototype': Object.getPrototypeOf([].values()),
  'map iterator prototype': Object.getPrototypeOf(new Map().values()),
  'set iterator prototype': Object.getPrototypeOf(new Set().values()),
  'string iterator prototype': Object.getPrototypeOf(''[Symbol.iterator]()),
  'typed array': Object.getPrototypeOf(Uint8Array),
}

const argumentsOfChild = process.argv.slice(2)
const [entry = '', ...dependencies] = argumentsOfChild
const modules: (readonly [string, unknown])[] = []
for (const url of dependencies) modules.push([url, await import(url)])

function snapshot(): State {
  const state: State = new Map()
  const seen = new Set<unknown>([state])
  // The environment is compared by its contents.
  seen.add(process.env)
  for (const [name, value] of Object.entries(process.env)) state.set(`process.env.${name}`, value)
  addProperties(state, seen, 'globalThis', globalThis, 3)
  for (const [name, value] of Object.entries(hidden)) addProperties(state, seen, name, value, 1)
  for (const [name, value] of builtins) addProperties(state, seen, name, value, 3)
  for (const [name, value] of modules) {
    addProperties(state, seen, name, value, depthOfModules)
  }
  for (const event of process.eventNames()) {
    for (const [index, listener] of process.rawListeners(event).entries()) {
      state.set(`process.on ${String(event)} ${index}`, listener)
    }
  }
  for (const [name, stream] of Object.entries({ stdout: process.stdout, stderr: process.stderr })) {
    for (const event of stream.eventNames()) {
      state.set(`process.${name}.on ${String(event)}`, stream.listenerCount(event))
    }
  }
  state.set('defaultMaxListeners', EventEmitter.defaultMaxListeners)
  state.set('process.cwd()', process.cwd())
  state.set('process.umask()', process.umask())
  state.set('process.title', process.title)
  // Requests to the file system end by themselves, some of them late on a busy machine.
  const resources = process.getActiveResourcesInfo().filter((kind) => !kind.startsWith('FSReq'))
  state.set('resources', resources.sort().join())
  return state
}

function changes(before: State, after: State): string[] {
  const found: string[] = []
  for (const [name, value] of after) {
    if (!before.has(name)) found.push(`added: ${name}`)
    else if (!Object.is(before.get(name), value)) found.push(`changed: ${name}`)
  }
  for (const name of before.keys()) if (!after.has(name)) found.push(`removed: ${name}`)
  return found
}

/** Lets the work end that an import may have begun. */
async function settled(): Promise<void> {
  for (let round = 0; round < 5; round += 1) await new Promise((resolve) => setImmediate(resolve))
}

await settled()
snapshot()
const before = snapshot()
await settled()
const untouched = changes(before, snapshot())
await import(entry)
await settled()
const changed = changes(before, snapshot())
process.stdout.write(JSON.stringify({ untouched, changed }))
