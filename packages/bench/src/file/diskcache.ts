import { spawnSync } from 'node:child_process'
import type { Candidate, Measurement } from '../harness/suite.ts'
import { type NamedScenario, scenarios } from './scenarios.ts'

/** Python's diskcache measures itself, with the same keys, values and order. */
const program = `
import json, os, shutil, sys, tempfile, time
import diskcache
scenario = json.loads(sys.argv[1])
kind, entries, size, operations = (scenario[name] for name in ('kind', 'entries', 'valueBytes', 'operations'))
folder = tempfile.mkdtemp(prefix='cache-bench-file-')
alphabet = 'abcdefghijklmnopqrstuvwxyz'
def key(index): return 'user:%d:profile' % index
def value(name, stamp):
    head = '%s#%d#' % (name, stamp)
    turned = alphabet[stamp % 26:] + alphabet[:stamp % 26]
    return head + (turned * (size // 26 + 1))[:max(0, size - len(head))]
def scattered(index): return (index * 7919) % entries
try:
    cache = diskcache.Cache(os.path.join(folder, 'store'))
    for start in range(0, entries, 1000):
        with cache.transact():
            for index in range(start, min(entries, start + 1000)): cache.set(key(index), value(key(index), 0), expire=3600)
    right = True
    def run(count, round):
        global right
        if kind == 'get' or kind == 'getMany':
            for index in range(count):
                name = key(scattered(index))
                if not cache.get(name).startswith(name + '#0#'): right = False
        elif kind == 'sets at once':
            for start in range(0, count, 100):
                with cache.transact():
                    for index in range(start, start + 100):
                        name = key(scattered(index)); cache.set(name, value(name, round * 1000003 + index), expire=3600)
        elif kind == 'mixed':
            for index in range(count):
                name = key(scattered(index))
                if index % 10 == 0: cache.set(name, value(name, round * 1000003 + index), expire=3600)
                elif cache.get(name) is None: right = False
        else:
            for index in range(count):
                name = key(scattered(index)); cache.set(name, value(name, round * 1000003 + index), expire=3600)
    if kind == 'open':
        cache.close()
        name = key(entries >> 1)
        start = time.perf_counter()
        cache = diskcache.Cache(os.path.join(folder, 'store'))
        right = cache.get(name) == value(name, 0)
        result = (time.perf_counter() - start) * 1000
    elif kind == 'bytes':
        cache.close()
        result = sum(os.stat(os.path.join(path, name)).st_blocks * 512 for path, _, names in os.walk(folder) for name in names) / entries
    else:
        run((operations + 1) // 2, 1)
        start = time.perf_counter()
        run(operations, 2)
        result = operations / (time.perf_counter() - start)
    print(json.dumps({'value': result, 'work': 1 if right else 0}))
finally:
    shutil.rmtree(folder, ignore_errors=True)
`

/** The candidate, where Python and diskcache are there; `undefined` elsewhere. */
export function diskcache(quick: boolean): Candidate | undefined {
  if (spawnSync('python3', ['-c', 'import diskcache']).status !== 0) return undefined
  return {
    name: 'diskcache (Python)',
    rows: scenarios(quick)
      .filter(({ kind }) => !['getMany', 'delay', 'hold'].includes(kind))
      .map(({ row }) => row.name),
    measure(row) {
      const scenario = scenarios(quick).find((one) => one.row.name === row) as NamedScenario
      const { stdout, stderr, status } = spawnSync('python3', ['-c', program, JSON.stringify(scenario)], {
        encoding: 'utf8',
      })
      if (status !== 0) throw new Error(`diskcache failed: ${stderr}`)
      return JSON.parse(stdout) as Measurement
    },
  }
}
