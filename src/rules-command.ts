/** `rootwalk rules`: check the fault tree, run its truth tables, explain a report with it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { checkRules, describeProblems, explainReport, loadRules, runTruthTables } from './classify/index.ts';
import { RcaError } from './model/errors.ts';
import type { Report } from './model/report.ts';

const SHIPPED = fileURLToPath(new URL('../rules', import.meta.url));

export function rulesCommand(): Command {
  const command = new Command('rules')
    .description('Checks, tests and explains the fault tree.')
    .addHelpText('after', '\nExample:\n  rootwalk rules check rules/');
  command
    .command('check')
    .description('every mistake of every rule file at once: shape, facts, operators, values, contradictions')
    .argument('[dir]', 'folder of the rules', SHIPPED)
    .addHelpText('after', '\nExample:\n  rootwalk rules check rules/')
    .action((dir: string) => check(dir));
  command
    .command('test')
    .description('runs the truth tables (*.test.json) beside the rules')
    .argument('[dir]', 'folder of the rules', SHIPPED)
    .addHelpText('after', '\nExample:\n  rootwalk rules test rules/')
    .action((dir: string) => test(dir));
  command
    .command('explain')
    .description(
      'the tree evaluated on the facts stored in a report: why this, why not that; with other rules: what then',
    )
    .argument('<report>', 'report file (JSON)')
    .option('--rules <dir>', 'folder of the rules', SHIPPED)
    .option('--cause <rank>', 'which cause of the report', '1')
    .addHelpText('after', '\nExample:\n  rootwalk rules explain incidents/inc_1.json --rules my-rules/')
    .action((file: string, options: { readonly rules: string; readonly cause: string }) => explain(file, options));
  return command;
}

function check(dir: string): void {
  const problems = checkRules(dir);
  for (const problem of problems) {
    console.error(`${problem.file} ${problem.path}: ${problem.message}\n    mend: ${problem.mend}`);
  }
  if (problems.length > 0) {
    console.error(`${problems.length} ${problems.length === 1 ? 'problem' : 'problems'} in ${dir}`);
    process.exitCode = 1;
    return;
  }
  const loaded = loadRules(dir);
  if (!loaded.ok) return;
  const rules = loaded.tree.families.flatMap((family) => family.rules);
  const classes = new Set(rules.map((rule) => rule.class));
  console.log(
    `${dir}: ${rules.length} rules in ${loaded.tree.families.length} families, ${classes.size} classes, hash ${loaded.tree.hash}: good`,
  );
}

async function test(dir: string): Promise<void> {
  const { results, untested, problems } = await runTruthTables(dir, treeOf(dir));
  for (const problem of problems) console.error(`${problem.file} ${problem.path}: ${problem.message}; ${problem.mend}`);
  for (const result of results.filter((r) => !r.ok)) {
    console.error(`${result.file}: ${result.name}: ${result.message}`);
  }
  const failed = results.filter((r) => !r.ok).length;
  if (untested.length > 0) console.error(`no case proves: ${untested.join(', ')}`);
  console.log(`${results.length - failed} of ${results.length} cases hold, ${untested.length} rules untested`);
  if (failed > 0 || untested.length > 0 || problems.length > 0) process.exitCode = 1;
}

async function explain(file: string, options: { readonly rules: string; readonly cause: string }): Promise<void> {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch (cause) {
    throw new RcaError('RCA_BAD_INPUT', `cannot read the report ${file}: ${(cause as Error).message}`, {}, cause);
  }
  if (!Array.isArray(report?.causes) || typeof report.incidentId !== 'string') {
    throw new RcaError('RCA_BAD_INPUT', `${file} is no report: expected <incident>.json of engine.output`);
  }
  for (const line of await explainReport(report, Number(options.cause), treeOf(options.rules))) console.log(line);
}

function treeOf(dir: string): Extract<ReturnType<typeof loadRules>, { ok: true }>['tree'] {
  const loaded = loadRules(dir);
  if (loaded.ok) return loaded.tree;
  throw new RcaError('RCA_BAD_RULE', `the rules in ${dir} are not valid:\n${describeProblems(loaded.problems)}`, {
    problems: loaded.problems,
  });
}
