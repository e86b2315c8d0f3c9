/**
 * Loaded before a daemon under test (`node --import`): its wall clock is as many milliseconds ahead as the file says
 * that FAULT_CLOCK names, from the start and from each SIGUSR2 on. Timers and the monotonic clock go on as they do when
 * a machine's time is set.
 */
import { readFileSync } from 'node:fs'

const file = process.env.FAULT_CLOCK
const wall = Date.now.bind(Date)
let aheadMs = 0

function read(): void {
  try {
    aheadMs = file === undefined ? 0 : Number(readFileSync(file, 'utf8'))
  } catch {
    aheadMs = 0 // No file: nobody has touched the clock yet.
  }
}

read()
process.on('SIGUSR2', () => {
  read()
  process.stderr.write(`the clock is ${aheadMs} ms ahead\n`)
})

const stepped = () => wall() + aheadMs
Date.now = stepped
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [stepped()] : args, newTarget),
})
