// Branded strings and numbers: things that must not be mixed up although they look alike.

declare const brand: unique symbol;
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
