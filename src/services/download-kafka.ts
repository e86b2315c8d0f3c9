import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheDir, cached, reporting } from './cache.ts'
import { runToEnd } from './process.ts'
import { cacheNames, requireAll } from './requirements.ts'
import type { ServiceOptions } from './services.ts'

const version = '4.1.1'
const limitMs = 15 * 60_000
const copyDependencies = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mongo2kafka</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${version}</version>
    </dependency>
  </dependencies>
</project>
`

/** The directory with Kafka's jars, fetched with Maven where it is absent. */
export async function findKafka(options: ServiceOptions): Promise<string> {
  const { env, progress, signal } = options
  await requireAll({ mongodb: false, kafka: true }, env, signal)
  return cached(cacheDir(env), cacheNames.kafka, partial =>
    reporting(progress, `Fetching Kafka ${version} (once)`, () => fetchKafka(partial, signal)),
  )
}

async function fetchKafka(dir: string, signal: AbortSignal): Promise<void> {
  const pomFile = join(dir, 'pom.xml')
  await writeFile(pomFile, pom)
  const goal = ['-q', '-B', copyDependencies, `-DoutputDirectory=${dir}`, '-DincludeScope=runtime']
  await runToEnd('mvn', goal, { cwd: dir, limitMs, signal })
  await rm(pomFile)
}
