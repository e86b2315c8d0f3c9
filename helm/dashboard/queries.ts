/** Matchers for the variables of the dashboard. */
export const ofJob = 'namespace=~"$namespace",job=~"$job"'
export const ofPipeline = `${ofJob},pipeline=~"$pipeline"`
export const byPipeline = 'by (namespace, job, pipeline)'

/** From the worst to the best, as one number to draw. */
const states = [
  { text: 'failed', color: 'red' },
  { text: 'retrying', color: 'orange' },
  { text: 'starting', color: 'yellow' },
  { text: 'stopped', color: 'text' },
  { text: 'paused', color: 'purple' },
  { text: 'running', color: 'green' },
  { text: 'idle', color: 'blue' },
  { text: 'standby', color: 'super-light-blue' },
] as const

export const stateTexts = Object.fromEntries(states.map((state, index) => [index, state]))

/** The number of the worst state that any worker reports. */
export const stateNumber = `min ${byPipeline} (\n${states
  .map(({ text }, index) => `  (mongo2kafka_pipeline_state{state="${text}",${ofPipeline}} == 1) * ${index}`)
  .join('\n  or\n')}\n)`
