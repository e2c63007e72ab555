// Entry of the keeper, inside the rehearsal's namespaces: node main.ts TOPOLOGY.json
import { readFile } from 'node:fs/promises';
import { topologySchema } from '../lab/topology.ts';
import { keep } from './keeper.ts';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: main.ts TOPOLOGY.json');
const topology = topologySchema.parse(JSON.parse(await readFile(file, 'utf8')));
const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort(new Error(name)));
await keep(topology, { environment: process.env, log: (line) => console.log(line) }, stop.signal);
