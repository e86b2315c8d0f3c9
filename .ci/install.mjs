// Installs node_modules when they are absent or older than the lockfile. Plain JavaScript for Node 20 and newer,
// without dependencies, because it runs before there are any.
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'

const root = new URL('..', import.meta.url)
const changedMs = name => statSync(new URL(name, root), { throwIfNoEntry: false })?.mtimeMs ?? 0

const [major] = process.versions.node.split('.')
if (Number(major) < 20) {
  console.error(`mongo2kafka: this is Node ${process.versions.node}; npm scripts need Node 20 or newer to start.`)
  process.exit(1)
}
// npm writes this file last, so it is present only after an install that went through.
if (changedMs('node_modules/.package-lock.json') < changedMs('package-lock.json')) {
  console.error('mongo2kafka: installing the packages of package-lock.json (npm ci) ...')
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, stdio: 'inherit' })
  if (npm.status !== 0) {
    console.error('mongo2kafka: npm ci failed; its message is above. Nothing was started.')
    process.exit(1)
  }
}
