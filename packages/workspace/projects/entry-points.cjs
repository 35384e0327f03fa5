// Every entry point of every package, as their manifests list them.
const { readdirSync, readFileSync } = require('node:fs')
const { join } = require('node:path')

const scope = join(__dirname, '../node_modules/@cache')

exports.entryPoints = readdirSync(scope).flatMap((name) => {
  const manifest = JSON.parse(readFileSync(join(scope, name, 'package.json'), 'utf8'))
  return Object.keys(manifest.exports).map((subpath) => manifest.name + subpath.slice(1))
})
