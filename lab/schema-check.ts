/** Checks a JSON document of the lab against its schema and says everything that is wrong at once. */
import { readFileSync } from 'node:fs';
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { RcaError } from '../src/model/errors.ts';
import { nearestName } from '../src/model/nearest.ts';

export interface Problem {
  readonly file: string;
  /** JSON pointer; empty for the document. */
  readonly path: string;
  readonly message: string;
  readonly mend: string;
}

const ajv = new Ajv2020({ allErrors: true, verbose: true, allowUnionTypes: true, strictRequired: false });
const compiled = new Map<string, ValidateFunction>();

function validator(schemaFile: string): ValidateFunction {
  let found = compiled.get(schemaFile);
  if (found === undefined) {
    found = ajv.compile(JSON.parse(readFileSync(schemaFile, 'utf8')) as object);
    compiled.set(schemaFile, found);
  }
  return found;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function explain(file: string, error: ErrorObject): Problem {
  const path = error.instancePath;
  const params = error.params as Readonly<Record<string, unknown>>;
  const found = `found ${shown(error.data)}`;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params.additionalProperty);
      const known = Object.keys((error.parentSchema?.properties ?? {}) as object);
      const near = nearestName(key, known);
      return {
        file,
        path: `${path}/${key}`,
        message: `unknown key "${key}"`,
        mend: near === undefined ? `remove it; known keys: ${known.join(', ')}` : `did you mean "${near}"?`,
      };
    }
    case 'required':
      return { file, path, message: `"${params.missingProperty}" is missing`, mend: `add "${params.missingProperty}"` };
    case 'enum':
      return {
        file,
        path,
        message: `expected one of ${(params.allowedValues as readonly unknown[]).join(', ')}, ${found}`,
        mend: 'use one of these',
      };
    case 'type':
      return {
        file,
        path,
        message: `expected ${String(params.type)}, ${found}`,
        mend: `write a ${String(params.type)}`,
      };
    case 'oneOf':
      return {
        file,
        path,
        message: `expected exactly one of the allowed shapes, ${found}`,
        mend: 'see the schema beside the file for the shapes',
      };
    default:
      return {
        file,
        path,
        message: `${error.message ?? error.keyword}, ${found}`,
        mend: 'see the schema beside the file',
      };
  }
}

/** @throws {RcaError} RCA_BAD_CONFIG when the file cannot be read or is not JSON */
export function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new RcaError('RCA_BAD_CONFIG', `${file}: cannot be read: ${(cause as Error).message}`, {}, cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RcaError('RCA_BAD_CONFIG', `${file}: expected JSON, found ${(cause as Error).message}`, {}, cause);
  }
}

/** Problems of shape; empty when the value fits the schema. Branches of a `oneOf` that do not apply are left out. */
export function shapeProblems(file: string, value: unknown, schemaFile: string): Problem[] {
  const validate = validator(schemaFile);
  if (validate(value)) return [];
  const errors = (validate.errors ?? []).filter((error) => !/\/oneOf\/\d+\//.test(error.schemaPath));
  return errors.map((error) => explain(file, error));
}

/** @throws {RcaError} RCA_BAD_CONFIG listing every problem: file, path, what is wrong, the mend */
export function refuse(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const lines = problems.map(
    (p) => `${p.file} ${p.path === '' ? '(document)' : p.path}: ${p.message}. Mend: ${p.mend}`,
  );
  throw new RcaError('RCA_BAD_CONFIG', lines.join('\n'), { problems });
}
