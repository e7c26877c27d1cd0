/** Writes schemas/batch.schema.json: node bin/node24.mjs schemas/generate.ts */
import { writeFileSync } from 'node:fs';
import { batchSchema } from '../src/codec/json-schema.ts';

writeFileSync(new URL('batch.schema.json', import.meta.url), `${JSON.stringify(batchSchema(), null, 2)}\n`);
