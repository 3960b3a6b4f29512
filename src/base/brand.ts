/** A nominal type over `Base`: made by one constructor that checks it, plain data at run time. */
export type Brand<Base, Name extends string> = Base & { readonly __brand: Name };
