// `npm test`: brings what the tests need, builds the collector, runs vitest and ends with "N passed, N failed".
// Arguments go to vitest: `npm test -- --project unit test/codec`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNode, root } from './node24.mjs';

const node = findNode();
if (node === null) {
  console.error(`rootwalk: needs Node 24, this is ${process.version}. Mend: run "npm ci" (it brings Node 24 along).`);
  process.exit(1);
}
process.chdir(root);
const env = {
  ...process.env,
  TZ: 'UTC',
  LC_ALL: 'C',
  PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH}`,
};
const run = (args) => spawnSync(node, ['--disable-warning=ExperimentalWarning', ...args], { stdio: 'inherit', env });

const prepared = run(['bin/prepare-tests.ts']);
if (prepared.status !== 0) process.exit(prepared.status ?? 1);

const dir = mkdtempSync(join(tmpdir(), 'rootwalk-test-'));
const file = join(dir, 'results.json');
const tested = run([
  'node_modules/vitest/vitest.mjs',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${file}`,
  ...process.argv.slice(2),
]);
let passed = 0;
let failed = 0;
let skipped = 0;
try {
  const results = JSON.parse(readFileSync(file, 'utf8'));
  passed = results.numPassedTests;
  failed =
    results.numFailedTests +
    results.testResults.filter((r) => r.status === 'failed' && r.assertionResults.length === 0).length;
  skipped = results.numPendingTests + results.numTodoTests;
} catch (error) {
  console.error(`no test results: ${error.message}`);
  failed = 1;
}
rmSync(dir, { recursive: true, force: true });
const code = tested.status === 0 && failed === 0 && passed > 0 ? 0 : 1;
console.log(
  `${passed} passed, ${code !== 0 && failed === 0 ? 1 : failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
);
process.exit(code);
