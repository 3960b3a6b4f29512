/** How GNU tar writes a tree of an image, with all that the tree's hash covers: the same tree gives the same bytes. */
export const IMAGE_TAR_FORM = [
  "--format=pax",
  // By default a process id is among what is written.
  "--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f",
  "--sort=name",
  "--numeric-owner",
  "--xattrs",
  "--xattrs-include=security.capability",
] as const;
