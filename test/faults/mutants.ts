import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Fault } from './fault.ts'
import { seamFaults } from './faults-at-seams.ts'
import { killed, zombie } from './faults-of-daemons.ts'
import { killedOutOfReach } from './faults-of-networks.ts'
import type { Mode } from './modes.ts'

/** A daemon that is broken on purpose: one place of its source changed. */
export interface Mutant {
  readonly name: string
  /** Below src. */
  readonly file: string
  readonly from: string
  readonly to: string
  readonly mode: Mode['name']
  /** What should bring it to light. */
  readonly faults: readonly Fault[]
  /** The promise that it breaks. */
  readonly breaks: RegExp
}

const root = fileURLToPath(new URL('../..', import.meta.url))

function seam(name: string): Fault {
  const found = seamFaults.find(fault => fault.name === `killed: ${name}`)
  if (found === undefined) throw new RangeError(`no seam ${name}`)
  return found
}

export const mutants: readonly Mutant[] = [
  {
    name: 'saves positions before the acknowledgement',
    file: 'pipeline/at-least-once.ts',
    from: '    await acknowledged\n    await this.#saver.save(batch.position)\n',
    to: '    await this.#saver.save(batch.position)\n    await acknowledged\n',
    mode: 'at-least-once',
    faults: Array.from({ length: 5 }, () => killedOutOfReach),
    breaks: /G1|G2/,
  },
  {
    name: 'starts at the present instead of at its checkpoint',
    file: 'pipeline/attempt.ts',
    from: 'machine.stream({ source, from,',
    to: 'machine.stream({ source, from: await source.now(stop),',
    mode: 'at-least-once',
    faults: [killed, killed],
    breaks: /G1|G2/,
  },
  {
    name: 'partitions by the place in the batch instead of the key',
    file: 'pipeline/prepare.ts',
    from: 'block.place(i, topic, partitionCount)',
    to: 'block.place(i, topic, 1 + (i % partitionCount))',
    mode: 'at-least-once',
    faults: [killed],
    breaks: /G2/,
  },
  {
    name: 'forgets deletes',
    file: 'pipeline/prepare.ts',
    from: '      this.#parts.encoder.encode(event)\n',
    to: "      if (event.operation === 'delete') return\n      this.#parts.encoder.encode(event)\n",
    mode: 'at-least-once',
    faults: [killed],
    breaks: /G1|G2/,
  },
  {
    name: 'saves the checkpoint before the transaction instead of in it',
    file: 'pipeline/attempt.ts',
    from: 'transactional.commit(toRecords(checkpoint), signal)',
    to: 'store.save(checkpoint, signal).then(() => transactional.commit(toRecords(checkpoint), signal))',
    mode: 'exactly-once',
    faults: Array.from({ length: 4 }, () => seam('before the commit is sent')),
    breaks: /G1|G2/,
  },
  {
    name: 'fences nobody: a transactional id of its own for every process',
    file: 'sink/kafka/transactional-id.ts',
    from: 'return [',
    to: 'return [process.pid, ',
    mode: 'exactly-once',
    faults: [zombie, zombie],
    breaks: /G4|G3|G2/,
  },
  {
    name: 'sends again what a target without transactions has already',
    file: 'pipeline/tails.ts',
    from: 'if (duplicates.size === 0) return records',
    to: 'if (duplicates.size >= 0) return records',
    mode: 'without-transactions',
    faults: Array.from({ length: 4 }, () => seam('records stored, not acknowledged')),
    breaks: /G4/,
  },
]

/** A copy of the sources with the change of `mutant`, in a directory that goes with it. */
export async function breed(mutant: Mutant): Promise<{ readonly main: string } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'm2k-mutant-'))
  const dispose = () => rm(directory, { recursive: true, force: true })
  try {
    await cp(join(root, 'src'), join(directory, 'src'), { recursive: true })
    await cp(join(root, 'package.json'), join(directory, 'package.json'))
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
    const file = join(directory, 'src', mutant.file)
    const text = await readFile(file, 'utf8')
    if (text.split(mutant.from).length !== 2) throw new RangeError(`${mutant.file} has not once: ${mutant.from}`)
    await writeFile(
      file,
      text.replace(mutant.from, () => mutant.to),
    )
  } catch (error) {
    await dispose()
    throw error
  }
  return { main: join(directory, 'src', 'main.ts'), [Symbol.asyncDispose]: dispose }
}
