/** The shipped fault tree: valid, complete, proved by its truth tables; and what a bad one is told. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkRules, createRuleSet, loadRules, runTruthTables } from '../../src/classify/index.ts';
import { FAULT_CLASSES } from '../../src/model/verdict.ts';

const RULES = fileURLToPath(new URL('../../rules', import.meta.url));
const SCHEMA = fileURLToPath(new URL('../../schemas/rules.schema.json', import.meta.url));

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rules-'));
  cpSync(join(RULES, 'remedies'), join(dir, 'remedies'), { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true }));

function write(name: string, content: unknown): void {
  writeFileSync(join(dir, name), typeof content === 'string' ? content : JSON.stringify(content));
}

const LEAF = { fact: 'edge.retransmit_ratio', operator: 'greaterThan', value: 0.01 };

function rule(needs: unknown, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: 'r',
    class: 'packet_loss',
    title: 't',
    appliesTo: ['edge'],
    rank: 'resource',
    confidence: 0.5,
    needs,
    ...more,
  };
}

function family(rules: readonly unknown[], more: Record<string, unknown> = {}): Record<string, unknown> {
  return { schemaVersion: 1, id: 'f', title: 'F', rules, ...more };
}

describe('shipped rules', () => {
  it('are valid', () => {
    expect(checkRules(RULES)).toEqual([]);
  });

  it('agree with their truth tables, and no rule is without a case', async () => {
    const loaded = loadRules(RULES);
    if (!loaded.ok) throw new Error('rules are not valid');
    const { results, untested, problems } = await runTruthTables(RULES, loaded.tree);
    expect(results.filter((r) => !r.ok)).toEqual([]);
    expect(results.length).toBeGreaterThan(45);
    expect(untested).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('cover every fault class, each with a remedy page that has all its sections', () => {
    const loaded = loadRules(RULES);
    if (!loaded.ok) throw new Error('rules are not valid');
    const covered = new Set(loaded.tree.families.flatMap((f) => f.rules.map((r) => r.class)));
    expect(FAULT_CLASSES.filter((name) => name !== 'unknown' && !covered.has(name))).toEqual([]);
    for (const name of FAULT_CLASSES) {
      const page = readFileSync(join(RULES, 'remedies', `${name}.md`), 'utf8');
      for (const section of ['What it is', 'What proves it', 'mistaken for', 'Check', 'Mend']) {
        expect(page, `${name}.md`).toContain(section);
      }
    }
  });

  it('fit the published schema', () => {
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(SCHEMA, 'utf8')));
    for (const name of ['network', 'compute', 'database', 'application', 'traffic', 'telemetry', 'pools']) {
      const file = JSON.parse(readFileSync(join(RULES, `${name}.json`), 'utf8'));
      expect(validate(file), `${name}: ${JSON.stringify(validate.errors)}`).toBe(true);
    }
  });

  it('put only known placeholders into sentences', () => {
    const loaded = loadRules(RULES);
    if (!loaded.ok) throw new Error('rules are not valid');
    const known =
      /^(suspect|blamed|neighbour|service|callee|caller|db\.top_table|db\.top_statement|service\.top_error_operation|out\.more_called|out\.pool_callee|service\.busiest_operation)$/;
    for (const { title, summary = '', checks } of loaded.tree.families.flatMap((f) => f.rules)) {
      const names = [title, summary, ...checks].flatMap((text) =>
        [...text.matchAll(/\{([^}]*)\}/g)].map((m) => m[1] ?? ''),
      );
      expect(names.filter((name) => !known.test(name))).toEqual([]);
    }
  });
});

interface Bad {
  readonly what: string;
  readonly content: unknown;
  readonly path: string;
  readonly message: RegExp;
  readonly mend: RegExp;
  /** False: only the checks know it, not a JSON Schema. */
  readonly schema?: boolean;
}

const BAD: readonly Bad[] = [
  {
    what: 'an empty any (json-rules-engine lets it fire)',
    content: family([rule({ any: [] })]),
    path: '$.rules[0].needs.any',
    message: /empty "any"/,
    mend: /condition/,
    schema: true,
  },
  {
    what: 'an empty all',
    content: family([rule({ all: [] })]),
    path: '$.rules[0].needs.all',
    message: /empty "all"/,
    mend: /condition/,
    schema: true,
  },
  {
    what: 'all beside any (one is dropped)',
    content: family([rule({ all: [LEAF], any: [LEAF] })]),
    path: '$.rules[0].needs',
    message: /only one of them would count/,
    mend: /nest/,
    schema: true,
  },
  {
    what: 'an unknown operator (aborts the run)',
    content: family([rule({ ...LEAF, operator: 'greatherThan' })]),
    path: '$.rules[0].needs.operator',
    message: /no operator "greatherThan"/,
    mend: /greaterThan/,
    schema: true,
  },
  {
    what: 'an unknown fact',
    content: family([rule({ ...LEAF, fact: 'edge.retransmit_ratoi' })]),
    path: '$.rules[0].needs.fact',
    message: /no fact/,
    mend: /edge\.retransmit_ratio"/,
  },
  {
    what: 'a number in quotes ("7" > 3 is true for the engine)',
    content: family([rule({ ...LEAF, value: '0.01' })]),
    path: '$.rules[0].needs.value',
    message: /is a number, found "0.01"/,
    mend: /without quotes/,
  },
  {
    what: 'a share written as percent',
    content: family([rule({ fact: 'instance.cpu_throttled_ratio', operator: 'greaterThan', value: 60 })]),
    path: '$.rules[0].needs',
    message: /can never hold/,
    mend: /0\.6/,
  },
  {
    what: 'an operator that does not suit the type',
    content: family([rule({ fact: 'suspect.symptoms', operator: 'equal', value: 'silent' })]),
    path: '$.rules[0].needs.operator',
    message: /which is a list/,
    mend: /contains/,
  },
  {
    what: 'a value a fact never has',
    content: family([rule({ fact: 'suspect.term', operator: 'equal', value: 'networc' })]),
    path: '$.rules[0].needs.value',
    message: /never "networc"/,
    mend: /"network"/,
  },
  {
    what: 'a contradiction',
    content: family([
      rule({
        all: [
          { ...LEAF, value: 5 },
          { ...LEAF, operator: 'lessThan', value: 3 },
        ],
      }),
    ]),
    path: '$.rules[0].needs.all[1]',
    message: /contradicts/,
    mend: /any/,
  },
  {
    what: 'an unreachable alternative',
    content: family([
      rule({
        all: [
          { ...LEAF, value: 5 },
          {
            any: [
              { ...LEAF, operator: 'lessThan', value: 3 },
              { fact: 'edge.rtt_ratio', operator: 'greaterThan', value: 2 },
            ],
          },
        ],
      }),
    ]),
    path: '$.rules[0].needs.all[1].any[0]',
    message: /never hold/,
    mend: /.*/,
  },
  {
    what: 'an exclusion that always holds',
    content: family([rule(LEAF, { excludes: [{ when: { ...LEAF, value: 0.001 }, reason: 'x' }] })]),
    path: '$.rules[0].excludes[0].when',
    message: /can never fire/,
    mend: /narrow/,
  },
  {
    what: 'an unknown condition',
    content: family([rule({ condition: 'retransmit-rise' })], { conditions: { 'retransmits-rise': LEAF } }),
    path: '$.rules[0].needs.condition',
    message: /no condition is called/,
    mend: /retransmits-rise/,
  },
  {
    what: 'conditions in a circle (the engine overflows its stack)',
    content: family([rule({ condition: 'a' })], {
      conditions: { a: { not: { condition: 'b' } }, b: { condition: 'a' } },
    }),
    path: '$.conditions.a',
    message: /circle: a -> b -> a/,
    mend: /break/,
  },
  {
    what: 'a condition nobody uses',
    content: family([rule(LEAF)], { conditions: { idle: LEAF } }),
    path: '$.conditions.idle',
    message: /no rule uses/,
    mend: /remove/,
  },
  {
    what: 'k out of range',
    content: family([rule({ atLeast: { k: 3, of: [LEAF, LEAF] } })]),
    path: '$.rules[0].needs.atLeast.k',
    message: /from 1 to 2, found 3/,
    mend: /"k"/,
  },
  {
    what: 'not of a list',
    content: family([rule({ not: [LEAF] })]),
    path: '$.rules[0].needs.not',
    message: /takes one condition/,
    mend: /any/,
    schema: true,
  },
  {
    what: 'a leaf without value',
    content: family([rule({ fact: 'edge.rtt_ratio', operator: 'greaterThan' })]),
    path: '$.rules[0].needs.value',
    message: /missing/,
    mend: /leaf/,
    schema: true,
  },
  {
    what: 'a path of json-rules-engine',
    content: family([rule({ ...LEAF, path: '$.x' })]),
    path: '$.rules[0].needs.path',
    message: /not supported/,
    mend: /remove/,
    schema: true,
  },
  {
    what: 'a mistyped key',
    content: family([rule(LEAF, { need: LEAF })]),
    path: '$.rules[0].need',
    message: /unknown key "need"/,
    mend: /needs/,
    schema: true,
  },
  {
    what: 'a rule without needs',
    content: family([{ ...rule(LEAF), needs: undefined }]),
    path: '$.rules[0].needs',
    message: /always fire/,
    mend: /needs/,
    schema: true,
  },
  {
    what: 'a class without remedy',
    content: family([rule(LEAF, { class: 'packet_los' })]),
    path: '$.rules[0].class',
    message: /no remedy page/,
    mend: /packet_loss/,
  },
  {
    what: 'two rules of one id',
    content: family([rule(LEAF), rule(LEAF)]),
    path: '$.rules[1].id',
    message: /too/,
    mend: /own id/,
  },
  {
    what: 'a confidence above one',
    content: family([rule(LEAF, { confidence: 70 })]),
    path: '$.rules[0].confidence',
    message: /from 0 to 1, found 70/,
    mend: /number/,
    schema: true,
  },
  {
    what: 'facts of different units compared',
    content: family([rule({ fact: 'edge.rtt_rise_us', operator: 'greaterThan', value: { fact: 'edge.rtt_ratio' } })]),
    path: '$.rules[0].needs.value',
    message: /cannot be compared/,
    mend: /unit/,
  },
  {
    what: 'a placeholder that nothing fills in',
    content: family([rule(LEAF, { title: 'Lost between {suspct} and {callee}' })]),
    path: '$.rules[0].title',
    message: /nothing fills in \{suspct\}/,
    mend: /did you mean \{suspect\}\? known: \{suspect\}, \{blamed\}, .*\{db\.top_table\}/,
  },
  {
    what: 'a fact that is not known, in a check',
    content: family([rule(LEAF, { checks: ['Look', 'At {db.top_tabel}'] })]),
    path: '$.rules[0].checks[1]',
    message: /nothing fills in \{db\.top_tabel\}/,
    mend: /\{db\.top_table\}/,
  },
  {
    what: 'a list in a sentence',
    content: family([rule(LEAF, { summary: '{suspect.symptoms}' })]),
    path: '$.rules[0].summary',
    message: /\{suspect\.symptoms\} is a list/,
    mend: /number or a string/,
  },
  {
    what: 'a key written twice',
    content: '{"schemaVersion":1,"id":"f","title":"F",\n"title":"G","rules":[]}',
    path: '$',
    message: /"title" is written twice.*line 2/,
    mend: /keep one/,
  },
  { what: 'no JSON', content: '{"schemaVersion": 1,}', path: '$', message: /not JSON.*line 1/, mend: /syntax/ },
];

describe('docs/rules.md', () => {
  it('shows a rule file that is valid and a truth table that holds for it', async () => {
    const page = readFileSync(fileURLToPath(new URL('../../docs/rules.md', import.meta.url)), 'utf8');
    const blocks = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
    expect(blocks).toHaveLength(2);
    write('network.json', blocks[0]);
    write('network.test.json', blocks[1]);
    const loaded = loadRules(dir);
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    const { results, untested } = await runTruthTables(dir, loaded.tree);
    expect(results.map((r) => r.message)).toEqual(['']);
    expect(untested).toEqual([]);
  });
});

describe('bad rules', () => {
  it.each(BAD)('refuses $what', ({ content, path, message, mend, schema }) => {
    write('bad.json', content);
    const problems = checkRules(dir);
    const found = problems.find((problem) => problem.path === path);
    expect(found, JSON.stringify(problems)).toBeDefined();
    expect(found?.file).toBe('bad.json');
    expect(found?.message).toMatch(message);
    expect(found?.mend).toMatch(mend);
    if (schema === true) {
      const validate = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(SCHEMA, 'utf8')));
      expect(validate(JSON.parse(JSON.stringify(content)))).toBe(false);
    }
  });

  it('names every mistake of every file at once', () => {
    write(
      'one.json',
      family([rule({ any: [] }, { id: 'a' }), rule({ ...LEAF, fact: 'nope.nope' }, { id: 'b', confidence: 2 })]),
    );
    write('two.json', '{');
    const problems = checkRules(dir);
    expect(problems.map((p) => `${p.file} ${p.path}`)).toEqual([
      'one.json $.rules[0].needs.any',
      'one.json $.rules[1].confidence',
      'two.json $',
    ]);
  });

  it('a misspelt "any" is one mistake, and what it holds is checked as if it were well spelt', () => {
    write('one.json', family([rule({ anny: [LEAF, { ...LEAF, vlue: 1 }] })]));
    expect(checkRules(dir).map((p) => `${p.path} ${p.mend}`)).toEqual([
      '$.rules[0].needs.anny did you mean "any"?',
      '$.rules[0].needs.any[1].vlue did you mean "value"?',
    ]);
  });

  it('refuses a folder that is not there', () => {
    expect(checkRules(join(dir, 'nowhere'))[0]?.message).toContain('cannot read the rules folder');
    expect(() => createRuleSet(join(dir, 'nowhere'))).toThrow(/RCA_BAD_RULE|not valid/);
  });

  it('accepts a condition nested to the limit and refuses one beyond', () => {
    const nest = (depth: number): unknown => (depth === 0 ? LEAF : { all: [nest(depth - 1)] });
    write('deep.json', family([rule(nest(15))]));
    expect(checkRules(dir)).toEqual([]);
    write('deep.json', family([rule(nest(40))]));
    expect(checkRules(dir)[0]?.message).toContain('nested more than 16 deep');
  });
});

describe('reload', () => {
  it('is atomic: a bad folder leaves the old tree in force, a mended one takes over', () => {
    write('f.json', family([rule(LEAF)]));
    const rules = createRuleSet(dir);
    const before = rules.hash();
    write('g.json', family([rule({ any: [] }, { id: 'r2' })], { id: 'g' }));
    expect(rules.reload().map((p) => p.file)).toEqual(['g.json']);
    expect(rules.hash()).toBe(before);
    expect(rules.tree().families).toHaveLength(1);
    write('g.json', family([rule(LEAF, { id: 'r2' })], { id: 'g' }));
    expect(rules.reload()).toEqual([]);
    expect(rules.hash()).not.toBe(before);
    expect(rules.tree().families).toHaveLength(2);
  });

  it('hashes content, not layout', () => {
    write('f.json', family([rule(LEAF)]));
    const first = createRuleSet(dir).hash();
    writeFileSync(join(dir, 'f.json'), JSON.stringify(family([rule(LEAF)]), null, 8));
    expect(createRuleSet(dir).hash()).toBe(first);
    expect(existsSync(join(dir, 'f.json'))).toBe(true);
  });
});
