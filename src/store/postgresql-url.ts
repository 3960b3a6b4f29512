/** Whether a location is not a path. */
export function isPostgresqlUrl(location: string): boolean {
  return /^postgres(?:ql)?:\/\//u.test(location);
}
