import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { command } from '../../src/cli/command.ts'
import { ran } from './admin-commands.ts'

const never = new AbortController().signal
const run = (...argv: string[]) => ran(io => command(argv, io, never))
const commands = ['run', 'validate', 'config', 'status', 'pause', 'resume', 'checkpoint', 'demo']

describe('the command line', () => {
  test.each([['help'], ['--help'], ['-h']])('%s lists every command', async argument => {
    const { code, stdout, stderr } = await run(argument)
    expect([code, stderr]).toEqual([0, ''])
    for (const name of commands) expect(stdout).toMatch(new RegExp(`^.*\\b${name} `, 'm'))
  })

  test.each([[[]], [['explode']], [['__proto__']]])('%j is bad usage: exit 64, the list on stderr', async argv => {
    const { code, stdout, stderr } = await run(...argv)
    expect([code, stdout]).toEqual([64, ''])
    expect(stderr).toContain('Usage: mongo2kafka COMMAND')
  })

  test.each(commands.filter(name => name !== 'demo'))('%s --help: exit 0, its usage on stdout', async name => {
    const { code, stdout } = await run(name, '--help')
    expect([code, stdout]).toEqual([0, expect.stringMatching(new RegExp(`usage: mongo2kafka ${name}`, 'i'))])
  })

  test.each(commands)('%s with an unknown option: exit 64', async name => {
    const { code, stdout } = await run(name, '--explode')
    expect([code, stdout]).toEqual([64, ''])
  })

  test('the README uses only commands that there are', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const used = [...readme.matchAll(/npm start -- (\w+)/g)].map(match => match[1]!)
    expect(used.length).toBeGreaterThan(5)
    expect(used.filter(name => !commands.includes(name))).toEqual([])
  })
})
