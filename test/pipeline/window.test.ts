import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Window } from '../../src/pipeline/window.ts'

const open = () => new AbortController().signal

test('lets in at once what fits, and what is too large when nothing else is in flight', async () => {
  const window = new Window(100, open())
  expect(await window.acquire(250)).toBe(true)
  window.release(250)
  expect(await window.acquire(60)).toBe(true)
  expect(await window.acquire(40)).toBe(true)
  expect(window.usedBytes).toBe(100)
})

test('waits until enough is released', async () => {
  const window = new Window(100, open())
  await window.acquire(90)
  let entered = false
  const waiting = window.acquire(50).then(result => {
    entered = result
  })
  window.release(30)
  await Promise.resolve()
  await Promise.resolve()
  expect(entered).toBe(false)
  window.release(60)
  await waiting
  expect(entered).toBe(true)
  expect(window.usedBytes).toBe(50)
})

test('an abort ends the wait without taking anything', async () => {
  const stop = new AbortController()
  const window = new Window(100, stop.signal)
  await window.acquire(100)
  const waiting = window.acquire(1)
  stop.abort()
  expect(await waiting).toBe(false)
  expect(window.usedBytes).toBe(100)
  expect(await window.acquire(0)).toBe(false)
})

test('begins small where it is told to, and grows with what is delivered, up to its limit', async () => {
  const window = new Window(100, open(), 10)
  expect(await window.acquire(10)).toBe(true)
  let entered = false
  const waiting = window.acquire(20).then(() => {
    entered = true
  })
  window.release(5)
  await Promise.resolve()
  await Promise.resolve()
  expect(entered).toBe(false)
  window.grow(15)
  window.release(0)
  await waiting
  expect(window.usedBytes).toBe(25)
  window.grow(1_000)
  expect(await window.acquire(75)).toBe(true)
  window.acquire(1).catch(() => undefined)
  expect(window.usedBytes).toBe(100)
})

test('never holds more than the limit, or than one batch', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 30 }), async sizes => {
      const window = new Window(100, open())
      const held: number[] = []
      for (const bytes of sizes) {
        const entering = window.acquire(bytes)
        while (held.length > 0 && window.usedBytes + bytes > 100 && window.usedBytes > 0) window.release(held.shift()!)
        expect(await entering).toBe(true)
        held.push(bytes)
        expect(window.usedBytes).toBeLessThanOrEqual(Math.max(100, bytes))
      }
    }),
  )
})
