/** Fetches the jars of Apache Kafka through Maven, once, into `.cache/kafka` of the repository. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RcaError } from '../src/model/errors.ts';

export const KAFKA_VERSION = '3.9.1';
const SCALA = '2.13';
/** The slf4j that Kafka 3.9 is built against. */
const SLF4J = '1.7.36';
const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>rootwalk.lab</groupId><artifactId>kafka-jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_${SCALA}</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>${SLF4J}</version></dependency>
  </dependencies>
</project>
`;

interface Finished {
  readonly code: number | null;
  readonly output: string;
}

function run(command: string, args: readonly string[], cwd: string): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (piece: Buffer): void => {
      output = (output + piece.toString()).slice(-4_000);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

/**
 * Folder with the jars of one Kafka version; fetched on the first call (about 46 MB), then only looked up. Several
 * processes may call at once: each fetches into a folder of its own and the first rename wins.
 *
 * @throws {RcaError} RCA_ENVIRONMENT when Maven is missing or cannot fetch
 */
export async function kafkaJars(): Promise<string> {
  const cache = join(root, '.cache', 'kafka');
  const jars = join(cache, `jars-${KAFKA_VERSION}`);
  if (existsSync(join(jars, `kafka_${SCALA}-${KAFKA_VERSION}.jar`))) return jars;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'fetch-'));
  try {
    writeFileSync(join(work, 'pom.xml'), pom);
    const args = ['-B', '-q', '-f', 'pom.xml', DEPENDENCY_PLUGIN, '-DoutputDirectory=jars', '-DincludeScope=runtime'];
    let finished: Finished;
    try {
      finished = await run('mvn', args, work);
    } catch (cause) {
      throw new RcaError(
        'RCA_ENVIRONMENT',
        'Kafka for tests: expected Maven (mvn) to fetch its jars, found none. Mend: apt-get install maven openjdk-17-jre-headless',
        {},
        cause,
      );
    }
    const fetched = join(work, 'jars');
    if (finished.code !== 0 || !existsSync(fetched) || readdirSync(fetched).length === 0) {
      throw new RcaError(
        'RCA_ENVIRONMENT',
        `Kafka for tests: Maven could not fetch Kafka ${KAFKA_VERSION} (exit ${finished.code}). Mend: check access to a Maven repository.\n${finished.output}`,
      );
    }
    try {
      renameSync(fetched, jars);
    } catch (error) {
      if (!existsSync(jars)) throw error;
    }
    return jars;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
