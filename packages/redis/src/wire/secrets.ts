/** The members of options that are secrets. */
const secretNames: ReadonlySet<string> = new Set(['password', 'sentinelPassword', 'passphrase', 'key', 'pfx'])
/** How deep the options of ioredis nest: `options.redisOptions.tls.passphrase`. */
const deepest = 4

/** The passwords and keys among the options of a connection. Errors and events must not contain them. */
export class Secrets {
  readonly #texts: readonly string[]

  constructor(options: unknown) {
    const texts = new Set<string>()
    collect(options, texts, 0)
    for (const text of [...texts]) texts.add(converted(text, encodeURIComponent))
    texts.delete('')
    // The longest first: one secret may be a part of another.
    this.#texts = [...texts].sort((one, other) => other.length - one.length)
  }

  /** The text without secrets. */
  readonly hide = (text: string): string => {
    let hidden = text
    for (const secret of this.#texts) hidden = hidden.replaceAll(secret, '***')
    return hidden
  }
}

function collect(given: unknown, into: Set<string>, depth: number): void {
  if (typeof given === 'string') {
    collectFromUrl(given, into)
    return
  }
  if (typeof given !== 'object' || given === null || ArrayBuffer.isView(given) || depth > deepest) return
  for (const [name, value] of Object.entries(given)) {
    if (secretNames.has(name) && (typeof value === 'string' || typeof value === 'number')) into.add(String(value))
    else collect(value, into, depth + 1)
  }
}

/** The password of a URL, as it is written and as ioredis sends it. Text that is no URL has none. */
function collectFromUrl(text: string, into: Set<string>): void {
  if (!text.includes('@') && !text.includes('assword=')) return
  const url = text.includes('://') ? text : `redis://${text}`
  if (!URL.canParse(url)) return
  const { password, searchParams } = new URL(url)
  for (const secret of [password, searchParams.get('password') ?? '', searchParams.get('sentinelPassword') ?? '']) {
    into.add(secret)
    into.add(converted(secret, decodeURIComponent))
  }
}

/** The text itself where it cannot be converted. */
function converted(text: string, convert: (text: string) => string): string {
  try {
    return convert(text)
  } catch {
    return text
  }
}
