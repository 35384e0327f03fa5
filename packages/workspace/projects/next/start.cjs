// Starts the built application and asks both runtimes.
const { spawn } = require('node:child_process')

const server = spawn(process.execPath, [require.resolve('next/dist/bin/next'), 'start', '-p', '0', '-H', '127.0.0.1'])

async function ask(url) {
  for (const path of ['node', 'edge']) {
    const response = await fetch(`${url}/${path}`)
    const text = await response.text()
    if (text !== 'loaded') throw new Error(`${path} returned ${response.status} ${text}`)
  }
}

let output = ''
let asked = false
server.stderr.pipe(process.stderr)
server.stdout.on('data', (chunk) => {
  output += chunk
  const url = /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(output)?.[0]
  if (url === undefined || asked || !output.includes('Ready')) return
  asked = true
  ask(url)
    .catch((error) => {
      console.error(output, error)
      process.exitCode = 1
    })
    .finally(() => server.kill())
})
server.on('exit', () => {
  if (!asked) process.exitCode = 1
})
