import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { command } from '../../src/cli/command.ts'
import { ran } from '../cli/admin-commands.ts'
import { contextPaths, environmentOf, imageStage, only, parseDockerfile, read, root } from './dockerfile.ts'

const { head, stages } = parseDockerfile(read('Dockerfile'))
const packageJson = JSON.parse(read('package.json')) as {
  readonly version: string
  readonly bin: Readonly<Record<string, string>>
  readonly files: readonly string[]
  readonly devDependencies: Readonly<Record<string, string>>
}

describe('the image', () => {
  const image = imageStage()

  test('is made on the Node that everything is tested with, which the release can pin by digest', () => {
    expect(head).toEqual([{ name: 'ARG', rest: `NODE_IMAGE=node:${packageJson.devDependencies.node}-trixie-slim` }])
    expect(stages.map(({ from }) => from)).toEqual([`$\{NODE_IMAGE} AS build`, `$\{NODE_IMAGE}`])
    expect(read('.github/workflows/release.yml')).toContain('--build-arg NODE_IMAGE')
  })

  test('runs as a user by number who is not root, the last of all that is done', () => {
    const [user, group] = only(image, 'USER').split(':').map(Number)
    expect(user).toBeGreaterThanOrEqual(10_000)
    expect(group).toBe(user)
    const after = image.instructions.slice(image.instructions.findIndex(({ name }) => name === 'USER') + 1)
    expect(after.filter(({ name }) => /^(RUN|COPY|ADD)$/.test(name))).toEqual([])
  })

  test('starts the command of the package below tini, without a shell', () => {
    expect(JSON.parse(only(image, 'ENTRYPOINT'))).toEqual(['/usr/local/bin/tini', '--', 'mongo2kafka'])
    expect(JSON.parse(only(image, 'CMD'))).toEqual(['run', '-c', '/etc/mongo2kafka/mongo2kafka.yaml'])
    const copied = image.instructions.filter(({ name }) => name === 'COPY').map(({ rest }) => rest.split(' ').at(-1))
    expect(copied).toEqual(['/usr/local/bin/tini', '/opt/mongo2kafka'])
    expect(only(image, 'RUN')).toBe(`ln -s /opt/mongo2kafka/${packageJson.bin.mongo2kafka} /usr/local/bin/mongo2kafka`)
  })

  test('is healthy by a command of the product, whose options exist', async () => {
    const check = /^((?:--\S+ )+)CMD (\[.*\])$/.exec(only(image, 'HEALTHCHECK'))
    const [program, ...argv] = JSON.parse(check?.[2] ?? '[]') as string[]
    expect([program, ...argv]).toEqual(['mongo2kafka', 'status'])
    const never = new AbortController().signal
    expect((await ran(io => command([...argv, '--help'], io, never))).code).toBe(0)
  })

  test("limits JavaScript's heap by the container's memory; V8's other options stay with the command", () => {
    expect(environmentOf(image)).toEqual({ NODE_OPTIONS: '--max-old-space-size-percentage=50' })
    expect(process.allowedNodeEnvironmentFlags.has('--max-old-space-size-percentage')).toBe(true)
    expect(read('src/main.ts')).toMatch(/^#!\/usr\/bin\/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=4 /)
  })
})

describe('its parts', () => {
  test('are installed by the script that npm run test:image runs too', () => {
    const [build] = stages
    const runs = build?.instructions.filter(({ name }) => name === 'RUN').map(({ rest }) => rest) ?? []
    expect(runs.at(-1)).toBe('.ci/image.install.sh /opt/mongo2kafka')
    expect(read('.ci/image.sh')).toContain('.ci/image.install.sh "$installed"')
    for (const script of ['.ci/image.install.sh', '.ci/image.sh']) {
      expect(statSync(join(root, script)).mode & 0o111, `${script} can be executed`).toBe(0o111)
    }
  })

  test('are all let in, and nothing else', () => {
    expect(read('.dockerignore')).toMatch(/^\*$/m)
    const paths = contextPaths()
    expect(paths.filter(path => !existsSync(join(root, path)))).toEqual([])
    const packed = packageJson.files.filter(path => path !== 'dist')
    const building = [
      '.ci/image.install.sh',
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'tsconfig.build.json',
    ]
    expect(paths.toSorted()).toEqual([...building, ...packed, 'src'].toSorted())
  })
})

describe('a Dockerfile is read', () => {
  test('with continued lines, comments between them, and in any case', () => {
    const text = '# a\nARG A=1\nfrom x AS y\nRUN one \\\n# two\n  && three\nENV B=c=d\nFROM z\nUSER 1:2\n'
    expect(parseDockerfile(text)).toEqual({
      head: [{ name: 'ARG', rest: 'A=1' }],
      stages: [
        {
          from: 'x AS y',
          instructions: [
            { name: 'RUN', rest: 'one  && three' },
            { name: 'ENV', rest: 'B=c=d' },
          ],
        },
        { from: 'z', instructions: [{ name: 'USER', rest: '1:2' }] },
      ],
    })
    const [stage] = parseDockerfile(text).stages
    expect(environmentOf(stage!)).toEqual({ B: 'c=d' })
    expect(() => only(stage!, 'USER')).toThrow('0 times USER')
  })
})
