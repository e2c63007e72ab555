import { describe, expect, test } from 'vitest';
import { networkState } from '../controller/network-end.ts';
import {
  makeFacts,
  makeIngress,
  makeNode,
  makeService,
  makeSettings,
  makeSlice,
} from '../exposures/cluster.test-data.ts';
import { decideExposures } from '../exposures/decide-exposures.ts';
import { ownerOf } from './entry-names.ts';
import { exposureEntries } from './exposure-entries.ts';
import { formatEntries, makeBlueprint, makeSetup } from './sample-router.test-data.ts';
import { serverMoves, serverStates } from './server-moves.ts';

const owner = ownerOf(makeBlueprint().lab);
const at = { annotations: { 'labwright.dev/address': '10.1.3.101' } };
const stateWith = (nodes: readonly ReturnType<typeof makeNode>[]) =>
  networkState(
    decideExposures(
      makeFacts({ nodes, services: [makeService('web', at)], ingresses: [makeIngress('shop', ['shop.svc/ web:80'])] }),
      makeSettings(),
    ),
  );
const both = stateWith([makeNode('node101'), makeNode('node102')]);
const cordoned = stateWith([makeNode('node101', { cordoned: true }), makeNode('node102')]);

test('a node that is drained takes nothing new at once, in every back end', () => {
  const moves = serverMoves(owner, both, cordoned);
  expect(moves.map(({ server, state }) => `${server} ${state}`)).toEqual(['node101 drain', 'node101 drain']);
  expect(moves.map(({ backEnd }) => backEnd)).toContain('lw-home-10.1.3.101-80');
});

test('one that comes back takes connections before the configuration says so', () => {
  expect(serverMoves(owner, cordoned, both).map(({ server, state }) => `${server} ${state}`)).toEqual([
    'node101 ready',
    'node101 ready',
  ]);
});

describe('pods that only their own node leads to', () => {
  const local = makeService('web', { ...at, spec: { externalTrafficPolicy: 'Local' } });
  const on = (...places: readonly string[]) =>
    networkState(
      decideExposures(
        makeFacts({
          nodes: [makeNode('node101'), makeNode('node102')],
          services: [local],
          slices: [makeSlice('web', places)],
        }),
        makeSettings(),
      ),
    );
  const moves = (before: ReturnType<typeof on>, after: ReturnType<typeof on>) =>
    serverMoves(owner, before, after).map(({ server, state }) => `${server} ${state}`);

  test('are served where they come to, before a check has seen them when nobody else serves', () => {
    expect(moves(on('node101'), on('node102'))).toEqual(['node102 ready', 'node102 healthy', 'node101 drain']);
    expect(moves(on(), on('node101'))).toEqual(['node101 ready', 'node101 healthy']);
    expect(moves(on('node101'), on('node101', 'node102'))).toEqual(['node102 ready']);
    expect(moves(on('node101'), on())).toEqual([]);
  });

  test('change nothing but which servers are on: there is no other server to write', () => {
    const written = (state: ReturnType<typeof on>) =>
      formatEntries(exposureEntries(owner, state, makeSetup(), { names: true, balancers: true }).entries).replaceAll(
        /<status>(active|disabled)<\/status>/g,
        '<status/>',
      );
    expect(written(on('node101'))).toContain('<name>node102</name>');
    expect(written(on('node102'))).toBe(written(on('node101')));
    expect(written(on())).toBe(written(on('node101')));
  });
});

test('nothing is told of what did not change, or of back ends that come or go', () => {
  const nothing = networkState({ exposures: [], refusals: [] });
  expect(serverMoves(owner, both, both)).toEqual([]);
  expect(serverMoves(owner, nothing, both)).toEqual([]);
  expect(serverMoves(owner, both, nothing)).toEqual([]);
});

test('who does not know what was told tells all of it, but of back ends that nobody serves', () => {
  const told = (state: typeof both) => serverStates(owner, state).map(({ server, state: to }) => `${server} ${to}`);
  expect(told(both)).toEqual(['node101 ready', 'node102 ready', 'node101 ready', 'node102 ready']);
  expect(told(cordoned)).toEqual(['node102 ready', 'node101 maint', 'node102 ready', 'node101 maint']);
  const nowhere = makeService('web', { ...at, spec: { externalTrafficPolicy: 'Local' } });
  const facts = makeFacts({ nodes: [makeNode('node101')], services: [nowhere], slices: [makeSlice('web', [])] });
  expect(told(networkState(decideExposures(facts, makeSettings())))).toEqual([]);
});
