/** Reports: built from an incident's evidence, as JSON and as Markdown. The public face of the stage. */
export { causeKey, toldCauses } from './accounts.ts';
export { buildReport } from './build.ts';
export { canonicalJson } from './canonical.ts';
export { toMarkdown } from './markdown.ts';
export type { ReportInput } from './types.ts';
