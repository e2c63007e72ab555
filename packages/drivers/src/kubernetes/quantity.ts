// Quantities as the API writes them: "250m", "1.5", "128Mi", "2G", "1e3".
const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const pattern =
  /^([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:([eE][+-]?[0-9]+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?$/;

/** The number, or undefined when the text is no quantity. */
export function parseQuantity(text: string): number | undefined {
  const [, digits, exponent = '', unit = ''] = pattern.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return Number(digits + exponent) * (factors[unit] ?? 1);
}
