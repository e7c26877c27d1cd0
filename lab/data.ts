/** Reads topologies and scenarios: schema, meaning, and how long a scenario runs. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Entity } from '../src/model/entity.ts';
import { edge } from '../src/model/entity.ts';
import { RcaError } from '../src/model/errors.ts';
import { scenarioProblems } from './scenario-check.ts';
import { readJson, refuse, shapeProblems } from './schema-check.ts';
import { topologyProblems } from './topology-check.ts';
import type { FaultSpec, Scenario, Topology } from './types.ts';

const here = dirname(fileURLToPath(import.meta.url));
const TOPOLOGIES = join(here, 'topologies');
const SCENARIOS = join(here, 'scenarios');

/**
 * @param file  path of a topology
 * @throws {RcaError} RCA_BAD_CONFIG with every problem at once
 */
export function readTopology(file: string): Topology {
  const value = readJson(file);
  refuse(shapeProblems(file, value, join(TOPOLOGIES, 'topology.schema.json')));
  const topology = value as Topology;
  refuse(topologyProblems(file, topology));
  return topology;
}

/** Edges get the name that the model gives them. */
function named(entity: Entity): Entity {
  return entity.kind === 'edge' ? edge(entity.from ?? '', entity.to ?? '') : entity;
}

function withNames(fault: FaultSpec): FaultSpec {
  const { truth } = fault;
  return {
    ...fault,
    truth: {
      ...truth,
      entity: named(truth.entity),
      ...(truth.acceptEntities === undefined ? {} : { acceptEntities: truth.acceptEntities.map(named) }),
    },
  };
}

/**
 * @param nameOrFile  `packet-loss` for a scenario that comes with the lab, or the path of a file
 * @returns the scenario and its topology (looked for beside the scenario first, then in the lab)
 * @throws {RcaError} RCA_BAD_CONFIG with every problem at once
 */
export function readScenario(nameOrFile: string): { readonly scenario: Scenario; readonly topology: Topology } {
  const own = join(SCENARIOS, `${nameOrFile}.json`);
  const file = existsSync(nameOrFile) || !existsSync(own) ? nameOrFile : own;
  if (!existsSync(file)) {
    throw new RcaError(
      'RCA_BAD_CONFIG',
      `scenario "${nameOrFile}": neither a file nor a scenario of the lab. Mend: name a file or one of ${scenarioNames().join(', ')}`,
    );
  }
  const value = readJson(file);
  refuse(shapeProblems(file, value, join(SCENARIOS, 'scenario.schema.json')));
  const scenario = value as Scenario;
  const beside = join(dirname(file), `${scenario.topology}.json`);
  const topologyFile = existsSync(beside) ? beside : join(TOPOLOGIES, `${scenario.topology}.json`);
  if (!existsSync(topologyFile)) {
    const known = jsonNames(TOPOLOGIES).join(', ');
    refuse([{ file, path: '/topology', message: `no topology "${scenario.topology}"`, mend: `name one of ${known}` }]);
  }
  const topology = impatient(readTopology(topologyFile), scenario.callTimeoutMs);
  refuse(scenarioProblems(file, scenario, topology));
  return { scenario: { ...scenario, faults: scenario.faults.map(withNames) }, topology };
}

/** Services that give up calls to other services sooner; those that the topology gives a time of their own keep it. */
function impatient(topology: Topology, callTimeoutMs: number | undefined): Topology {
  if (callTimeoutMs === undefined) return topology;
  return { ...topology, services: topology.services.map((service) => ({ callTimeoutMs, ...service })) };
}

function jsonNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json') && !name.endsWith('.schema.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}

/** Names of the scenarios that come with the lab. */
export function scenarioNames(): string[] {
  return jsonNames(SCENARIOS);
}

export interface Retiming {
  /** Factor on every time of the scenario. */
  readonly timeScale?: number;
  /** These win over the scenario, before the factor. A new length moves and stretches what lies in it. */
  readonly warmUpS?: number;
  readonly lengthS?: number;
  readonly coolDownS?: number;
}

/** The same scenario, shorter or longer. */
export function retime(scenario: Scenario, retiming: Retiming): Scenario {
  const scale = retiming.timeScale ?? 1;
  const stretch = (scale * (retiming.lengthS ?? scenario.lengthS)) / scenario.lengthS;
  const { profile } = scenario.load;
  return {
    ...scenario,
    warmUpS: scale * (retiming.warmUpS ?? scenario.warmUpS),
    lengthS: scale * (retiming.lengthS ?? scenario.lengthS),
    coolDownS: scale * (retiming.coolDownS ?? scenario.coolDownS),
    load: {
      ...scenario.load,
      ...(profile === undefined ? {} : { profile: profile.map((point) => ({ ...point, atS: point.atS * stretch })) }),
    },
    faults: scenario.faults.map((fault) => ({
      ...fault,
      startS: fault.startS * stretch,
      lengthS: fault.lengthS * stretch,
    })),
    events: scenario.events.map((event) => ({ ...event, atS: event.atS * stretch })),
  };
}
