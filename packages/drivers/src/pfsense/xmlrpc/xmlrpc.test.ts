import {
  anything,
  array,
  assert,
  boolean,
  constantFrom,
  dictionary,
  integer,
  letrec,
  oneof,
  property,
  string,
} from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RpcProblem, type RpcValue, formatCall, parseRpcAnswer } from './xmlrpc.ts';

const reply = (value: string): string =>
  `<?xml version="1.0"?><methodResponse><params><param>${value}</param></params></methodResponse>`;

describe('values', () => {
  const { value } = letrec<{ value: RpcValue }>((tie) => ({
    value: oneof(
      { depthSize: 'small' },
      string({ unit: constantFrom('a', '<', '>', '&', '"', "'", ']', ' ', '\n', '&amp;', 'é', '😀') }),
      integer(),
      boolean(),
      array(tie('value'), { maxLength: 3 }),
      dictionary(
        string({ minLength: 1 }).filter((key) => !key.includes('\0') && key !== '__proto__'),
        tie('value'),
        { maxKeys: 3, noNullPrototype: true },
      ),
    ),
  }));

  test('written into a call are read back from an answer', () => {
    assert(
      property(value, (given) => {
        const written = /<param>([^]*)<\/param>/.exec(formatCall('m', [given]))?.[1] ?? '';
        expect(parseRpcAnswer(reply(written))).toEqual({ kind: 'value', value: given });
      }),
      { numRuns: 200 },
    );
  });

  test('any text is an answer or is refused', () => {
    const kindOf = (text: string): string => {
      try {
        return parseRpcAnswer(text).kind;
      } catch (error) {
        if (error instanceof RpcProblem) return 'refused';
        throw error;
      }
    };
    assert(
      property(oneof(string(), anything().map(String), string().map(reply)), (text) => {
        expect(['value', 'fault', 'refused']).toContain(kindOf(text));
      }),
      { numRuns: 200 },
    );
  });

  test('a member named like a part of every object is a plain member', () => {
    const struct = '<value><struct><member><name>__proto__</name><value>x</value></member></struct></value>';
    const answer = parseRpcAnswer(reply(struct));
    expect(answer.kind === 'value' && Object.keys(answer.value)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});
