import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { type Answer, answer, fixedPaths, type Shown } from '../../src/admin/answers.ts'
import { ControlDesk } from '../../src/admin/control.ts'
import { openApi } from '../../src/admin/openapi.ts'
import { systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { Secret } from '../../src/secret.ts'
import type { ControlResult, PipelineState } from '../../src/status.ts'
import { alone, failedStatus, status } from './statuses.ts'

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: object }>> }>>
  readonly security?: readonly object[]
}
interface Document {
  readonly openapi: string
  readonly info: { readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: object
}

const document = openApi('1.2.3') as Document
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictTypes: false })
ajv.addSchema({ $id: 'openapi', components: document.components, $defs: {} }, 'openapi', false, false)
ajv.addKeyword('components')

/** What is wrong with an answer by its own description; empty where nothing is. */
function faults(path: string, method: string, { status: code, type, body }: Answer): string[] {
  const response = document.paths[path]?.[method]?.responses[code]
  if (!response) return [`${method} ${path}: ${code} is not described`]
  const media = type.split(';')[0] ?? ''
  const schema = response.content?.[media]?.schema
  if (!schema) return [`${method} ${path}: ${code} has no ${media}`]
  const value: unknown = media === 'application/json' ? JSON.parse(body) : body
  const validate = ajv.compile(absolute(schema) as object)
  return validate(value) ? [] : [`${method} ${path} ${code}: ${ajv.errorsText(validate.errors)}`]
}

/** References within the document, as ajv finds them. */
function absolute(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/'))
}

const states: readonly PipelineState[] = [
  'starting',
  'running',
  'idle',
  'retrying',
  'paused',
  'failed',
  'stopped',
  'standby',
]
const limited = { ...status('limited', 'running'), limitedBy: { stage: 'sink', ratio: 0.9 } } as const
const unknown = {
  ...status('unknown', 'starting'),
  lagMs: null,
  positionMs: null,
  checkpointSavedAtMs: null,
  oplogWindowMs: null,
}
const reloaded = { loadedAtMs: 1, lastReload: { atMs: 2, applied: false, problems: ['x'] } }
const shown: Shown = {
  version: '1.2.3',
  metrics: createMetrics({ version: '1.2.3' }),
  statuses: () => [...states.map(state => status(state, state)), failedStatus, limited, unknown],
  workers: () => ({ ...alone, name: 'me', workers: [{ name: 'other', owned: [1] }] }),
  config: () => reloaded,
}
const young: Shown = { metrics: shown.metrics, statuses: () => [] }

describe('the OpenAPI document', () => {
  test('names every path that is answered, and no other', () => {
    const withoutName = Object.keys(document.paths).filter(path => !path.includes('{'))
    expect(withoutName.sort()).toEqual([...fixedPaths].sort())
  })

  test('is served with the version of the daemon', async () => {
    const { status: code, body } = await answer('GET', '/api/v1/openapi.json', shown)
    expect([code, JSON.parse(body)]).toEqual([200, JSON.parse(JSON.stringify(document))])
    expect(document.info.version).toBe('1.2.3')
  })

  test('every reference leads somewhere, every order asks for the token', () => {
    const text = JSON.stringify(document)
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      expect(document.components, name).toHaveProperty(['schemas', name])
    }
    const posts = Object.values(document.paths).flatMap(({ post }) => (post ? [post] : []))
    expect(posts.map(({ security }) => security)).toEqual([[{ token: [] }], [{ token: [] }]])
  })
})

describe('what the server answers is what the document says', () => {
  test.each(fixedPaths)('%s, at work, young, and asked in a wrong way', async path => {
    for (const seen of [shown, young]) {
      expect(faults(path, 'get', await answer('GET', path, seen))).toEqual([])
      expect(faults(path, 'get', await answer('DELETE', path, seen))).toEqual([])
    }
  })

  test('one pipeline in every state, and one that is not there', async () => {
    const path = '/api/v1/pipelines/{name}'
    for (const { name } of shown.statuses()) {
      const one = await answer('GET', `/api/v1/pipelines/${name}`, shown)
      expect([one.status, ...faults(path, 'get', one)]).toEqual([200])
    }
    expect(faults(path, 'get', await answer('GET', '/api/v1/pipelines/zzz', shown))).toEqual([])
  })

  test.each([
    ['done', () => ({ changed: true }), 200],
    ['refused', () => ({ refused: 'no' }), 409],
    ['failing', () => fail(), 500],
  ] as const)('orders that are %s, and those without the token', async (_how, result: () => ControlResult, code) => {
    for (const action of ['pause', 'resume'] as const) {
      const path = `/api/v1/pipelines/{name}/${action}`
      const ask = async (token: Secret | undefined, authorization: string | undefined, started = true) => {
        const control = { pause: async () => result(), resume: async () => result() }
        const parts = { names: () => ['orders'], log: silentLogger, clock: systemClock }
        const desk = new ControlDesk({ ...parts, token, control: () => (started ? control : undefined) })
        return desk.answer({ action, pipeline: 'orders' }, { remoteAddress: '::1', authorization })
      }
      const token = new Secret('swordfish')
      const answers = [
        await ask(token, 'Bearer swordfish'),
        await ask(token, 'Bearer swordfish', false),
        await ask(token, undefined),
        await ask(undefined, undefined),
      ]
      expect(answers.map(each => each.status)).toEqual([code, 503, 401, 403])
      for (const each of answers) expect(faults(path, 'post', each)).toEqual([])
    }
  })

  test('the check itself finds what is wrong', async () => {
    const one = await answer('GET', '/api/v1/pipelines/running', shown)
    const path = '/api/v1/pipelines/{name}'
    const without = JSON.stringify({ ...JSON.parse(one.body), state: 'merry' })
    expect(faults(path, 'get', { ...one, body: without })).toHaveLength(1)
    expect(faults(path, 'get', { ...one, status: 418 })).toHaveLength(1)
    const more = JSON.stringify({ ...JSON.parse(one.body), canary: 1 })
    expect(faults(path, 'get', { ...one, body: more })).toHaveLength(1)
  })
})

function fail(): never {
  throw new Error('the order fails')
}
