import type { Records } from '../../record.ts'
import type { Sink, TransactionalSink } from '../sink.ts'
import { advising } from './acl-advice.ts'
import type { KafkaSettings } from './settings.ts'

/** The same sink, changed so that its rejections for want of a right say how it is granted. */
export function advisingSink(sink: Sink, settings: KafkaSettings): Sink {
  const send = sink.send.bind(sink)
  sink.send = (records, signal) => advising(send(records, signal), settings)
  if (!isTransactional(sink)) return sink
  const commit = sink.commit.bind(sink)
  sink.commit = (also: Records, signal: AbortSignal) => advising(commit(also, signal), settings)
  return sink
}

function isTransactional(sink: Sink): sink is TransactionalSink {
  return 'commit' in sink
}
