/**
 * The program of the thread, as text: a bundler moves code, but no file of this package has to stay beside it. It runs
 * statements and nothing else, so that it needs no other code. Each message has an `id`, the `path` of an index (empty:
 * close the connection), `sql`, and `values` when the statement has rows.
 *
 * `process.getBuiltinModule` works in CommonJS and in ES modules, whatever flags the process has.
 */
export const threadSource = `
const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads')
const { engineFile, busyTimeout, pragmas } = workerData
const Database =
  engineFile === 'node:sqlite'
    ? process.getBuiltinModule('node:sqlite').DatabaseSync
    : process.getBuiltinModule('node:module').createRequire(engineFile)(engineFile)
let database
let openPath = ''

function connect(path) {
  if (path === openPath) return
  const earlier = database
  database = undefined
  openPath = ''
  if (earlier !== undefined) earlier.close()
  if (path === '') return
  database = new Database(path)
  openPath = path
  database.exec('pragma busy_timeout = ' + busyTimeout)
  database.exec(pragmas)
}

function run({ path, sql, values }) {
  connect(path)
  if (path === '') return []
  if (values === undefined) {
    database.exec(sql)
    return []
  }
  return database.prepare(sql).all(...values)
}

parentPort.on('message', (request) => {
  try {
    parentPort.postMessage({ id: request.id, rows: run(request) })
  } catch (error) {
    const { message, errcode, code } = error
    parentPort.postMessage({ id: request.id, failure: { message, errcode, code } })
  }
})
`
