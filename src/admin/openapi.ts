import { schemaOf, type schemas, schemas as shapes } from './schemas.ts'

type Shape = keyof typeof schemas

const json = (description: string, shape: Shape) => ({
  description,
  content: { 'application/json': { schema: schemaOf(shape) } },
})
const plain = (description: string, type: string) => ({
  description,
  content: { [type]: { schema: { type: 'string' } } },
})
const failed = (description: string) => json(description, 'Error')

/** What every path may answer. */
const always = {
  405: failed('This method does not work here; the header Allow says which do.'),
  413: failed('No request here has a body.'),
  431: { description: 'The headers are longer than 16 KiB.' },
  500: failed('The answer could not be made; the log says why.'),
}

const byName = {
  name: 'name',
  in: 'path',
  required: true,
  description: "The pipeline's name.",
  schema: { type: 'string', minLength: 1, maxLength: 100 },
}

/** One GET; HEAD answers the same without a body. */
function reading(operationId: string, summary: string, responses: object, parameters: readonly object[] = []) {
  return { get: { operationId, summary, parameters, responses: { ...responses, ...always } } }
}

function ordering(action: 'pause' | 'resume', summary: string) {
  const responses = {
    200: json('Done, or it was so already.', 'Order'),
    401: failed('The token is missing or wrong.'),
    403: failed('No token is configured, so all orders are refused.'),
    404: failed('There is no such pipeline.'),
    409: failed('It makes no sense in the state of the pipeline.'),
    503: failed('The daemon is still starting.'),
    ...always,
  }
  return { post: { operationId: action, summary, parameters: [byName], security: [{ token: [] }], responses } }
}

/** The admin server's own description, OpenAPI 3.1; `version` is that of mongo2kafka. */
export function openApi(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'mongo2kafka admin API',
      version,
      description: 'Health, metrics and status without login; orders with the configured bearer token.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths: {
      '/': reading('page', 'The status page.', { 200: plain('A page without scripts.', 'text/html') }),
      '/livez': reading('livez', 'Whether the process answers.', { 200: plain('It does.', 'text/plain') }),
      '/readyz': reading('readyz', 'Whether every owned pipeline runs, is idle, was paused, or stands by.', {
        200: json('Ready.', 'Readiness'),
        503: json('Not ready.', 'Readiness'),
      }),
      '/metrics': reading('metrics', 'Metrics of Prometheus.', { 200: plain('Text.', 'text/plain') }),
      '/api/v1/pipelines': reading('pipelines', 'Every pipeline.', { 200: json('All of them.', 'Pipelines') }),
      '/api/v1/pipelines/{name}': reading(
        'pipeline',
        'One pipeline.',
        { 200: json('As it is now.', 'Pipeline'), 404: failed('There is no such pipeline.') },
        [byName],
      ),
      '/api/v1/pipelines/{name}/pause': ordering('pause', 'Lets a pipeline rest; answers when it has drained.'),
      '/api/v1/pipelines/{name}/resume': ordering('resume', 'Lets a paused pipeline go on.'),
      '/api/v1/workers': reading('workers', 'Who works on which slots.', {
        200: json('As this worker knows it.', 'Workers'),
        503: failed('Not known yet.'),
      }),
      '/api/v1/config': reading('config', 'Which configuration is in force.', {
        200: json('As it is now.', 'Config'),
        503: failed('Not in force yet.'),
      }),
      '/api/v1/openapi.json': reading('openapi', 'This document.', {
        200: { description: 'OpenAPI 3.1.', content: { 'application/json': { schema: { type: 'object' } } } },
      }),
    },
    components: {
      schemas: shapes,
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'admin.token' } },
    },
  }
}
