import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { alerts, defaults, filled, rulesOf, template } from '../../helm/alerts/rules.ts'
import { rows } from '../../helm/dashboard/dashboard.ts'
import { generated } from '../../helm/generated.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { casesOfLag } from './cases-of-lag.ts'
import { casesOfLoss } from './cases-of-loss.ts'
import { casesOfWork } from './cases-of-work.ts'

const chart = new URL('../../helm/mongo2kafka/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, chart), 'utf8')
const expressions = {
  rules: rulesOf(defaults).groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  dashboard: rows.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries.map(({ expr }) => expr))),
}

test.each(Object.keys(generated))('%s is what `node helm/main.ts` makes', path => {
  expect(read(path)).toBe(generated[path])
})

test("the chart's values have every alert with its defaults", () => {
  const { prometheusRule } = parse(read('values.yaml')) as { prometheusRule: Record<string, unknown> }
  const { runbookUrl, freshness, alerts } = prometheusRule
  expect({ runbookUrl, freshness, alerts }).toEqual(defaults)
})

/** Names of metrics in an expression; of a histogram its own name. */
function metricsIn(expr: string): string[] {
  const names = [...expr.matchAll(/(?<![\w:])((?:mongo2kafka|process|nodejs)_\w+)(?![\w:])/g)].map(match => match[1]!)
  return names.map(name => name.replace(/_(bucket|count|sum)$/, ''))
}

describe.each(['rules', 'dashboard'] as const)('of the %s', what => {
  test('every metric exists', async () => {
    const text = await createMetrics({ version: '1' }).text()
    const there = new Set([...text.matchAll(/^# TYPE (\w+)/gm)].map(match => match[1]!))
    const used = expressions[what].flatMap(metricsIn)
    expect(used.length).toBeGreaterThan(10)
    expect(used.filter(name => !there.has(name))).toEqual([])
  })

  test('every recorded series is recorded', () => {
    const recorded = new Set(template.groups.flatMap(({ rules }) => rules.flatMap(({ record }) => record ?? [])))
    const used = expressions[what].flatMap(expr => expr.match(/\b\w+:mongo2kafka_\w+:\w+/g) ?? [])
    expect(used.filter(name => !recorded.has(name))).toEqual([])
  })
})

test('a metric that does not exist would be found, also as a histogram and beside recorded ones', () => {
  expect(metricsIn('rate(mongo2kafka_x_bucket{a="mongo2kafka"}[5m]) / pipeline:mongo2kafka_y:max + process_z')).toEqual(
    ['mongo2kafka_x', 'process_z'],
  )
})

test('every panel says what to make of it, and panels do not overlap', () => {
  const { panels } = JSON.parse(generated['files/dashboard.json']!) as {
    panels: {
      id: number
      description?: string
      type: string
      gridPos: { x: number; y: number; w: number; h: number }
    }[]
  }
  const taken = new Set<string>()
  for (const { type, description, gridPos } of panels) {
    if (type !== 'row') expect(description).toMatch(/\.$/)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(x, 'columns').toBeLessThan(24)
        expect(taken, `panel at ${x},${y}`).not.toContain(`${x},${y}`)
        taken.add(`${x},${y}`)
      }
    }
  }
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
})

describe('the alerts', () => {
  test('have names of their own, a summary for the phone and a description for the person', () => {
    expect(new Set(alerts.map(({ key }) => key)).size).toBe(alerts.length)
    expect(new Set(alerts.map(({ name }) => name)).size).toBe(alerts.length)
    for (const { name, key, summary, description } of alerts) {
      expect(name).toBe(`Mongo2kafka${key[0]!.toUpperCase()}${key.slice(1)}`)
      expect(summary.length, name).toBeLessThan(120)
      expect(description.length, name).toBeGreaterThan(100)
    }
  })

  test('each is tested by promtool both ways: it fires, and it does not', () => {
    const cases = [...casesOfWork, ...casesOfLag, ...casesOfLoss]
    for (const { name } of alerts) {
      const fires = cases.some(({ looks }) =>
        looks.some(({ firing }) => firing.some(one => one.startsWith(`${name}{`))),
      )
      const silent = cases.some(
        ({ about, looks }) =>
          (about.includes(name) || about.includes('all')) &&
          looks.every(({ firing }) => !firing.some(one => one.startsWith(`${name}{`))),
      )
      expect({ name, fires, silent }).toEqual({ name, fires: true, silent: true })
    }
  })

  test('use every threshold that they have, and only those', () => {
    for (const { key, thresholds, expr, description, summary } of alerts) {
      const used = new Set([...`${expr}${summary}${description}`.matchAll(/\$\((\w+)\)/g)].map(match => match[1]!))
      for (const common of ['selector', 'freshnessLagSeconds', 'freshnessObjective']) used.delete(common)
      expect([...used].sort(), key).toEqual(Object.keys(thresholds).sort())
    }
  })
})

describe('filling in', () => {
  test('thresholds of one alert, the selector of a deployment, and one that is off', () => {
    const changed = { ...defaults.alerts.lagHigh, lagSeconds: 7, severity: 'page' }
    const settings = { ...defaults, alerts: { ...defaults.alerts, lagHigh: changed, down: { enabled: false } } }
    const [group] = rulesOf(settings, 'job="shop"').groups
    const lagHigh = group!.rules.find(({ alert }) => alert === 'Mongo2kafkaLagHigh')
    expect(lagHigh?.expr).toContain('mongo2kafka_lag_seconds:max > 7\n')
    expect(lagHigh?.labels).toEqual({ severity: 'page' })
    expect(lagHigh?.annotations?.description).toContain('the limit is 7 s')
    expect(group!.rules.some(({ alert }) => alert === 'Mongo2kafkaDown')).toBe(false)
    expect(group!.rules[0]?.expr).toContain('mongo2kafka_pipeline_lag_seconds{job="shop"}')
  })

  test('leaves no token, and refuses one that nothing fills', () => {
    expect(JSON.stringify(rulesOf(defaults))).not.toContain('$(')
    expect(JSON.stringify(rulesOf(defaults, 'job="shop"'))).not.toContain('$(')
    expect(filled('a{$(selector)} b{x="y",$(selector)} $(n)', { n: 3 })).toBe('a b{x="y"} 3')
    expect(filled('a{$(selector)} b{x="y",$(selector)}', {}, 'j="s"')).toBe('a{j="s"} b{x="y",j="s"}')
    expect(() => filled('$(other)', {})).toThrow('nothing fills $(other)')
  })
})
