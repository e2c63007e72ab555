// A fixed number of places: whoever finds none waits for its turn, in order.

export interface Slots {
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function makeSlots(count: number): Slots {
  let free = count;
  const queue: (() => void)[] = [];
  return {
    run: async (work) => {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => queue.push(resolve));
      try {
        return await work();
      } finally {
        const next = queue.shift();
        if (next === undefined) free += 1;
        else next();
      }
    },
  };
}
