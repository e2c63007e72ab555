// Sending one file by TFTP, as a pure state machine: acknowledgements and time-outs in, what to send out.
// RFC 1350, 1123 §4.2.3.1, 2347, 7440
//
//                    ack 0                       ack of the last block
//   (OACK) greeting ────────► sending ──────────────────────────────► done
//               │ ▲              │ ▲  │
//       time-out└─┘      time-out└─┘  └── too many time-outs without progress ──► given up
//
// Blocks are numbered from 1 without end in here; on the wire the number has 16 bits and wraps to 0.

export interface Transfer {
  readonly phase: 'greeting' | 'sending' | 'done' | 'given-up';
  /** A file whose size is a multiple of the block size ends with an empty block. */
  readonly lastBlock: number;
  readonly windowSize: number;
  /** Everything up to here has arrived. */
  readonly acknowledged: number;
  /** The highest block of the window that is on its way. */
  readonly sentUpTo: number;
  /** The window was sent again for a repeated acknowledgement; further ones of the same block are echoes. */
  readonly repeated: boolean;
  /** Time-outs since the last progress. */
  readonly timeouts: number;
}

type TransferAction =
  | { readonly kind: 'send-options' }
  /** Both included. */
  | { readonly kind: 'send-blocks'; readonly from: number; readonly to: number }
  | { readonly kind: 'wait' }
  | { readonly kind: 'finish' }
  | { readonly kind: 'give-up' };

export interface TransferStep {
  readonly transfer: Transfer;
  readonly action: TransferAction;
}

export const largestTimeouts = 5;

export function startTransfer(file: {
  readonly size: number;
  readonly blockSize: number;
  readonly windowSize: number;
  readonly withOptions: boolean;
}): TransferStep {
  const transfer: Transfer = {
    phase: file.withOptions ? 'greeting' : 'sending',
    lastBlock: Math.floor(file.size / file.blockSize) + 1,
    windowSize: file.windowSize,
    acknowledged: 0,
    sentUpTo: 0,
    repeated: false,
    timeouts: 0,
  };
  return file.withOptions ? { transfer, action: { kind: 'send-options' } } : sendWindow(transfer);
}

export function acknowledge(transfer: Transfer, wireBlock: number): TransferStep {
  if (transfer.phase === 'greeting') {
    return wireBlock === 0 ? sendWindow({ ...transfer, phase: 'sending', timeouts: 0 }) : wait(transfer);
  }
  if (transfer.phase !== 'sending') return wait(transfer);
  const ahead = (wireBlock - (transfer.acknowledged % 65_536) + 65_536) % 65_536;
  const block = transfer.acknowledged + ahead;
  if (block > transfer.sentUpTo) return wait(transfer);
  if (ahead === 0) return repeatWindow(transfer);
  const progressed = { ...transfer, acknowledged: block, repeated: false, timeouts: 0 };
  if (block === transfer.lastBlock) return { transfer: { ...progressed, phase: 'done' }, action: { kind: 'finish' } };
  return sendWindow(progressed);
}

export function timeOut(transfer: Transfer): TransferStep {
  if (transfer.phase !== 'greeting' && transfer.phase !== 'sending') return wait(transfer);
  const timeouts = transfer.timeouts + 1;
  if (timeouts > largestTimeouts) {
    return { transfer: { ...transfer, phase: 'given-up' }, action: { kind: 'give-up' } };
  }
  const next = { ...transfer, timeouts, repeated: false };
  return transfer.phase === 'greeting' ? { transfer: next, action: { kind: 'send-options' } } : sendWindow(next);
}

// A repeated acknowledgement in lockstep is never answered with data, or every later block goes out twice: the Sorcerer's
// Apprentice (RFC 1123 §4.2.3.1). In a window it says that the first block is missing. edk2 says so once for every block
// that came out of order, so one repetition answers all of them.
function repeatWindow(transfer: Transfer): TransferStep {
  if (transfer.windowSize === 1 || transfer.repeated || transfer.acknowledged === 0) return wait(transfer);
  return sendWindow({ ...transfer, repeated: true });
}

function sendWindow(transfer: Transfer): TransferStep {
  const from = transfer.acknowledged + 1;
  const to = Math.min(transfer.acknowledged + transfer.windowSize, transfer.lastBlock);
  return { transfer: { ...transfer, sentUpTo: to }, action: { kind: 'send-blocks', from, to } };
}

function wait(transfer: Transfer): TransferStep {
  return { transfer, action: { kind: 'wait' } };
}
