// Compiles the same application with each TypeScript and each way to resolve modules, without `skipLibCheck`, and runs it.
const { execFile } = require('node:child_process')
const { dirname, join } = require('node:path')
const { promisify } = require('node:util')

const run = promisify(execFile)

const commonJs = {
  'typescript-5.4': [
    ['commonjs', 'node10'],
    ['node16', 'node16'],
  ],
  'typescript-5.9': [
    ['commonjs', 'node10'],
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
  ],
  'typescript-7': [
    ['commonjs', 'bundler'],
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
  ],
}

async function compile(compiler, module, moduleResolution) {
  const bin = join(dirname(require.resolve(`${compiler}/package.json`)), 'bin/tsc')
  const out = `out/${compiler}-${module}`
  const options = ['--module', module, '--moduleResolution', moduleResolution, '--outDir', out]
  try {
    await run(process.execPath, [bin, '-p', 'tsconfig.json', ...options])
    await run(process.execPath, [`${out}/main.js`])
    // Files of both kinds see the same types.
    if (module !== 'node16') return
    await run(process.execPath, [bin, '-p', 'tsconfig.mixed.json', ...options])
    await run(process.execPath, [`${out}/mixed.mjs`])
  } catch (error) {
    throw new Error(`${compiler}, module ${module}:\n${error.stdout}${error.stderr}`)
  }
}

async function main() {
  for (const [compiler, settings] of Object.entries(commonJs)) {
    for (const [module, resolution] of settings) await compile(compiler, module, resolution)
  }
}

void main()
