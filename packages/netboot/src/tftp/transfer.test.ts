import fc from 'fast-check';
import { expect, test } from 'vitest';
import { acknowledge, largestTimeouts, startTransfer, timeOut, type Transfer, type TransferStep } from './transfer.ts';

const start = (size: number, windowSize = 1, withOptions = true): TransferStep =>
  startTransfer({ size, blockSize: 512, windowSize, withOptions });

function acknowledged(step: TransferStep, ...blocks: number[]): TransferStep {
  return blocks.reduce((current, block) => acknowledge(current.transfer, block), step);
}

test('without options the first block goes out at once, with options after they were acknowledged', () => {
  expect(start(1000, 1, false).action).toEqual({ kind: 'send-blocks', from: 1, to: 1 });
  expect(start(1000).action).toEqual({ kind: 'send-options' });
  expect(acknowledged(start(1000), 0).action).toEqual({ kind: 'send-blocks', from: 1, to: 1 });
});

test('a file that fills its last block ends with an empty one', () => {
  expect(start(1024).transfer.lastBlock).toBe(3);
  expect(start(1023).transfer.lastBlock).toBe(2);
  expect(start(0).transfer.lastBlock).toBe(1);
});

test('a repeated acknowledgement in lockstep sends nothing (the Sorcerer’s Apprentice)', () => {
  expect(acknowledged(start(5000), 0, 1, 1).action).toEqual({ kind: 'wait' });
  expect(acknowledged(start(5000), 0, 0).action).toEqual({ kind: 'wait' });
});

test('a gap in a window rewinds to it, and echoes of the same acknowledgement rewind only once', () => {
  const window = acknowledged(start(20_000, 4), 0, 4);
  expect(window.action).toEqual({ kind: 'send-blocks', from: 5, to: 8 });
  const gap = acknowledged(window, 6);
  expect(gap.action).toEqual({ kind: 'send-blocks', from: 7, to: 10 });
  const lostFirst = acknowledged(gap, 6);
  expect(lostFirst.action).toEqual({ kind: 'send-blocks', from: 7, to: 10 });
  expect(acknowledged(lostFirst, 6).action).toEqual({ kind: 'wait' });
});

test('acknowledgements of blocks that were never sent are ignored', () => {
  expect(acknowledged(start(20_000, 4), 0, 9).action).toEqual({ kind: 'wait' });
  expect(acknowledged(start(20_000, 4), 0, 4, 2).action).toEqual({ kind: 'wait' });
});

test('block numbers wrap to 0 and the transfer goes on', () => {
  let step = acknowledged(start(512 * 70_000, 32), 0);
  while (step.action.kind === 'send-blocks') step = acknowledge(step.transfer, step.action.to % 65_536);
  expect(step.action).toEqual({ kind: 'finish' });
  expect(step.transfer.acknowledged).toBe(70_001);
});

test('a silent client is asked again a few times and then given up', () => {
  let step = acknowledged(start(5000), 0);
  for (let index = 0; index < largestTimeouts; index += 1) {
    step = timeOut(step.transfer);
    expect(step.action).toEqual({ kind: 'send-blocks', from: 1, to: 1 });
  }
  expect(timeOut(step.transfer)).toMatchObject({ action: { kind: 'give-up' }, transfer: { phase: 'given-up' } });
  expect(acknowledged(timeOut(step.transfer), 1).action).toEqual({ kind: 'wait' });
});

/** A client by the letter of RFC 7440 §4: acknowledges full windows, the last in-order block on a gap, and time-outs. */
class Client {
  expected = 1;
  inWindow = 0;
  finished = false;
  readonly windowSize: number;

  constructor(windowSize: number) {
    this.windowSize = windowSize;
  }

  receive(block: number, isLast: boolean): number | undefined {
    if (block !== this.expected) {
      this.inWindow = 0;
      return this.expected - 1;
    }
    this.expected += 1;
    this.inWindow += 1;
    this.finished ||= isLast;
    if (!isLast && this.inWindow < this.windowSize) return undefined;
    this.inWindow = 0;
    return block;
  }
}

test('whatever gets lost, every block arrives in order or the transfer is given up', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 60 * 512 }),
      fc.integer({ min: 1, max: 8 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
      (size, windowSize, losses) => {
        const lost = (): boolean => losses.next().value === 0;
        const client = new Client(windowSize);
        let step = start(size, windowSize, false);
        for (let round = 0; round < 2_000 && !isOver(step.transfer); round += 1) {
          const answers: number[] = [];
          if (step.action.kind === 'send-blocks') {
            for (let block = step.action.from; block <= step.action.to; block += 1) {
              const answer = lost() ? undefined : client.receive(block, block === step.transfer.lastBlock);
              if (answer !== undefined && !lost()) answers.push(answer);
            }
          }
          let sends: TransferStep | undefined;
          for (const answer of answers) {
            const next = acknowledge(step.transfer, answer % 65_536);
            step = next;
            if (next.action.kind !== 'wait') sends = next;
          }
          if (isOver(step.transfer)) break;
          if (sends === undefined) step = timeOut(step.transfer);
          else step = { transfer: step.transfer, action: sends.action };
        }
        expect(isOver(step.transfer)).toBe(true);
        // "done" is only said when the client has the last block.
        expect(step.transfer.phase === 'done' && !client.finished).toBe(false);
      },
    ),
    { numRuns: 500 },
  );
});

function isOver(transfer: Transfer): boolean {
  return transfer.phase === 'done' || transfer.phase === 'given-up';
}
