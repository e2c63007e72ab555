import { expect, test } from 'vitest';
import { networkState } from '../controller/network-end.ts';
import { makeFacts, makeIngress, makeNode, makeService, makeSettings } from '../exposures/cluster.test-data.ts';
import { decideExposures } from '../exposures/decide-exposures.ts';
import { ownerOf } from './entry-names.ts';
import { makeBlueprint } from './sample-router.test-data.ts';
import { serverMoves } from './server-moves.ts';

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

test('nothing is told of what did not change, or of back ends that come or go', () => {
  const nothing = networkState({ exposures: [], refusals: [] });
  expect(serverMoves(owner, both, both)).toEqual([]);
  expect(serverMoves(owner, nothing, both)).toEqual([]);
  expect(serverMoves(owner, both, nothing)).toEqual([]);
});
