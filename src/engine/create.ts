/** A pipeline from a configuration. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RuleSet } from '../classify/index.ts';
import { createRuleSet } from '../classify/index.ts';
import type { Config } from '../config.ts';
import { configHash } from '../config.ts';
import { RcaError } from '../model/errors.ts';
import type { Pipeline } from '../pipeline.ts';
import { createPipeline } from '../pipeline.ts';

/** The fault tree that comes with rootwalk. */
export const BUILT_IN_RULES = fileURLToPath(new URL('../../rules', import.meta.url));

/** @throws {RcaError} RCA_BAD_RULE with every problem of the rules folder */
export function rulesOf(config: Config): RuleSet {
  const dir = config.engine.rules ?? BUILT_IN_RULES;
  if (!existsSync(dir)) throw new RcaError('RCA_BAD_CONFIG', `engine.rules: no such folder ${dir}`);
  return createRuleSet(dir);
}

export function pipelineOf(config: Config, rules: RuleSet): Pipeline {
  return createPipeline({
    rules,
    configHash: configHash(config),
    ingest: { latenessMs: config.engine.latenessMs },
    detect: { warmupWindows: config.engine.warmupWindows },
  });
}
