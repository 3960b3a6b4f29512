/** All that the index has: in the place of a project's name. */
export const EVERYTHING = "*";
