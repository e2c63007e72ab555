// A machine's call when it is up: which disk it booted and the host key it answers SSH with. Believed only with an HMAC
// whose key lies in the machine's firmware tables (root only, put there through Proxmox), so nobody else on the LAN can
// hand us a host key.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { MachineReport } from '@labwright/core/facts/machines';
import type { Secret } from '@labwright/core/ports/secret';
import { allMachines } from '@labwright/machines/replacements';
import * as z from 'zod';

const bodySchema = z.strictObject({
  lab: z.string().max(128),
  machine: z.string().max(63),
  generation: z.int().min(1),
  bootId: z.string().regex(/^[0-9a-f-]{36}$/),
  sshHostKey: z.string().regex(/^ssh-ed25519 [A-Za-z0-9+/]{68}(==)?$/),
});

export type PhoneHomeJudgement =
  | { readonly kind: 'accepted'; readonly machine: MachineBlueprint; readonly report: MachineReport }
  | { readonly kind: 'refused'; readonly status: 400 | 401 | 403; readonly reason: string };

/** What was called, before anyone looked at the signature. */
export type PhoneHomeCall =
  | { readonly kind: 'call'; readonly machine: MachineBlueprint; readonly body: z.infer<typeof bodySchema> }
  | Extract<PhoneHomeJudgement, { kind: 'refused' }>;

/** Reads the body far enough to know whose key it must be signed with. */
export function parsePhoneHome(bytes: Uint8Array, blueprint: Blueprint): PhoneHomeCall {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return { kind: 'refused', status: 400, reason: 'the body is not JSON' };
  }
  const body = bodySchema.safeParse(json);
  if (!body.success) return { kind: 'refused', status: 400, reason: 'the body has not the form of a phone call' };
  if (body.data.lab !== blueprint.lab) {
    return { kind: 'refused', status: 403, reason: `it belongs to the lab "${body.data.lab}"` };
  }
  const machine = allMachines(blueprint).find((each) => each.name === body.data.machine);
  if (machine === undefined) return { kind: 'refused', status: 403, reason: 'it is not a machine of the lab file' };
  return { kind: 'call', machine, body: body.data };
}

/**
 * The signature is the hex HMAC-SHA-256 of the body under the key's 32 bytes. A VM that is gone or has no such key refuses
 * every call: a signature under an empty key is one that anybody can make.
 */
export function judgePhoneHome(
  call: Extract<PhoneHomeCall, { kind: 'call' }>,
  bytes: Uint8Array,
  signature: string,
  key: Secret | undefined,
  at: number,
): PhoneHomeJudgement {
  const keyHex = key?.reveal() ?? '';
  if (!/^[0-9a-f]{64}$/.test(keyHex)) {
    return { kind: 'refused', status: 401, reason: `the VM of ${call.machine.name} holds no key to check it with` };
  }
  const expected = createHmac('sha256', Buffer.from(keyHex, 'hex')).update(bytes).digest();
  const given = /^[0-9a-f]{64}$/i.test(signature) ? Buffer.from(signature, 'hex') : Buffer.alloc(0);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return { kind: 'refused', status: 401, reason: `the signature is not that of ${call.machine.name}` };
  }
  const { generation, bootId, sshHostKey } = call.body;
  return {
    kind: 'accepted',
    machine: call.machine,
    report: { name: call.machine.name, generation, bootId, sshHostKey, at },
  };
}
