// The keys of a cluster: three authorities and the key pair of service accounts, made once for a lab. Whoever has them is the
// cluster, so they are kept in one encrypted file (pki-file.ts) and pushed to control planes only.
import type { LabId } from '@labwright/core/addresses/names';
import { Secret } from '@labwright/core/ports/secret';
import { z } from 'zod';
import { isKeyPair, isPair, makeAuthority, makeSigningKeys, type Authority } from './authority.ts';

export interface ClusterPki {
  /** Signs the API server's certificate, the kubelets' and every login. */
  readonly ca: Authority;
  /** Signs whom API servers take for another API server's proxy (request headers). */
  readonly frontProxyCa: Authority;
  readonly etcdCa: Authority;
  /** Signs the tokens of pods. */
  readonly serviceAccount: { readonly publicKey: string; readonly privateKey: Secret };
}

/** The lab's id is in the names, so that a rehearsal's cluster is told from the real one in any certificate. */
export async function makeClusterPki(lab: LabId, now: number): Promise<ClusterPki> {
  const [ca, frontProxyCa, etcdCa, serviceAccount] = await Promise.all([
    makeAuthority(`${lab} kubernetes`, now),
    makeAuthority(`${lab} front-proxy`, now),
    makeAuthority(`${lab} etcd`, now),
    makeSigningKeys(),
  ]);
  return { ca, frontProxyCa, etcdCa, serviceAccount };
}

const pair = z.strictObject({ certificate: z.string(), privateKey: z.string() });
const stored = z.strictObject({
  version: z.literal(1),
  /** Keys moved to another lab would make two clusters one. */
  lab: z.string(),
  ca: pair,
  frontProxyCa: pair,
  etcdCa: pair,
  serviceAccount: z.strictObject({ publicKey: z.string(), privateKey: z.string() }),
});

/** JSON with every key in the clear: only ever as input of the cipher. */
export function formatPki(lab: LabId, pki: ClusterPki): Secret {
  const reveal = ({ certificate, privateKey }: Authority) => ({ certificate, privateKey: privateKey.reveal() });
  const { publicKey, privateKey } = pki.serviceAccount;
  const plain: z.infer<typeof stored> = {
    version: 1,
    lab,
    ca: reveal(pki.ca),
    frontProxyCa: reveal(pki.frontProxyCa),
    etcdCa: reveal(pki.etcdCa),
    serviceAccount: { publicKey, privateKey: privateKey.reveal() },
  };
  return new Secret(JSON.stringify(plain));
}

export type ParsedPki =
  | { readonly kind: 'pki'; readonly pki: ClusterPki }
  /** `why` holds nothing secret. */
  | { readonly kind: 'unusable'; readonly why: string };

/** What formatPki wrote, for the same lab, with every key fitting its certificate. */
export function parsePki(lab: LabId, plain: Secret): ParsedPki {
  const read = stored.safeParse(parseJson(plain.reveal()));
  if (!read.success)
    return { kind: 'unusable', why: 'it does not hold the keys of a cluster in a form this version reads' };
  const { data } = read;
  if (data.lab !== lab)
    return { kind: 'unusable', why: `it holds the keys of lab ${data.lab}, and this is lab ${lab}` };
  const authority = (of: z.infer<typeof pair>): Authority => ({ ...of, privateKey: new Secret(of.privateKey) });
  const pki: ClusterPki = {
    ca: authority(data.ca),
    frontProxyCa: authority(data.frontProxyCa),
    etcdCa: authority(data.etcdCa),
    serviceAccount: { ...data.serviceAccount, privateKey: new Secret(data.serviceAccount.privateKey) },
  };
  const { serviceAccount } = pki;
  try {
    const fits = [pki.ca, pki.frontProxyCa, pki.etcdCa].every(isPair);
    if (fits && isKeyPair(serviceAccount.publicKey, serviceAccount.privateKey)) return { kind: 'pki', pki };
  } catch {
    // Node's own words may quote the key; that it is not one is all there is to say.
  }
  return { kind: 'unusable', why: 'a key in it does not belong to its certificate' };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
