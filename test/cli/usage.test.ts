import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { understood } from '../../src/cli/usage.ts'

const manual = { command: 'status', usage: 'Usage: mongo2kafka status\n' }

/** What `options` come to, and what is then written to stdout and stderr. */
function outcome(options: string | { readonly help: boolean }) {
  const io = { stdout: new PassThrough(), stderr: new PassThrough() }
  const result = understood(options, manual, io)
  return [result, String(io.stdout.read() ?? ''), String(io.stderr.read() ?? '')]
}

test('what was asked goes to the command; help goes to stdout, and what is wrong to stderr with the way out', () => {
  const options = { help: false }
  expect(outcome(options)).toEqual([options, '', ''])
  expect(outcome({ help: true })).toEqual([0, manual.usage, ''])
  expect(outcome('which PIPELINE?')).toEqual([64, '', `mongo2kafka status: which PIPELINE?\n\n${manual.usage}`])
})
