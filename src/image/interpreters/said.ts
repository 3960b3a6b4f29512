/** Addresses out of what a client said: they are its configuration's, and may hold a password. */
export function withoutAddresses(text: string): string {
  // A password may hold what else ends an address: quotes, parentheses.
  return text.replaceAll(/\b[a-z][a-z\d+]*:\/\/(?:[^\s/]*@)?[^\s"'<>()]*/giu, "…");
}

/** Whether a client's words say that nobody was there, in the words of Java, Rust or C. */
export function isUnreachable(text: string): boolean {
  return /UnknownHost|Unknown host|Name or service not known|nodename nor servname|[Tt]emporary failure in name resolution|failed to lookup address|dns error|Network is unreachable|No route to host|Connection (?:refused|timed out|reset)|[Cc]onnect(?:ion)? timed? ?out|ConnectTimeout|SocketTimeout|Read timed out|error sending request|tcp connect error|operation timed out/u.test(
    text,
  );
}
