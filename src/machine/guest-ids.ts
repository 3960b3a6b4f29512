let lastGuest = 0;

/** Of all kinds together: the launcher knows a guest by it. */
export function nextGuestId(): string {
  return `g${++lastGuest}`;
}
