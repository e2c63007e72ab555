// Whether labels match a selector, as the API documents it.
import type { LabelSelector, SelectorRequirement } from './kind.ts';

export type Labels = Readonly<Record<string, string>>;

/** An empty selector matches everything; what that means for a budget depends on its version. */
export function matchesSelector(selector: LabelSelector, labels: Labels = {}): boolean {
  const isEqual = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return isEqual && (selector.matchExpressions ?? []).every((requirement) => matchesRequirement(requirement, labels));
}

export function isEmptySelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean {
  return Object.keys(matchLabels).length === 0 && matchExpressions.length === 0;
}

/** Also the two operators that only nodes are chosen with: Gt and Lt compare integers. */
export function matchesRequirement({ key, operator, values }: SelectorRequirement, labels: Labels): boolean {
  const value = labels[key];
  const given = values ?? [];
  switch (operator) {
    case 'In': {
      return value !== undefined && given.includes(value);
    }
    case 'NotIn': {
      return value === undefined || !given.includes(value);
    }
    case 'Exists': {
      return value !== undefined;
    }
    case 'DoesNotExist': {
      return value === undefined;
    }
    case 'Gt': {
      return Number(value) > Number(given[0]);
    }
    case 'Lt': {
      return Number(value) < Number(given[0]);
    }
    default: {
      // Of a later version of the API: what is not understood is not promised.
      return false;
    }
  }
}
