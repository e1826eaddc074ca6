/** Whether a client has the representation with this etag already: If-None-Match, RFC 9110, section 13.1.2. */
export function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch
    .split(",")
    .some((item) => item.trim().replace(/^W\//, "") === etag || item.trim() === "*");
}
