/** Recordings of the bus. */

export type { Manifest } from './format.ts';
export { readJsonLines } from './json-lines.ts';
export { manifestPath, readManifest, readRecording } from './read.ts';
export type { RecordingWriter } from './write.ts';
export { writeRecording } from './write.ts';
