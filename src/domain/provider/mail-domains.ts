/** The issuers that give out addresses at domains where anybody can have one. Not complete: the best known. */
const issuersByDomain: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ...["gmail.com", "googlemail.com"].map((domain) => [domain, ["https://accounts.google.com"]] as const),
  ...["icloud.com", "mac.com", "me.com"].map((domain) => [domain, ["https://appleid.apple.com"]] as const),
  // The issuer of personal accounts alone: a company's tenant says what it likes of such an address.
  ...["hotmail.com", "live.com", "msn.com", "outlook.com"].map(
    (domain) =>
      [domain, ["https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"]] as const,
  ),
  ...[
    "126.com",
    "163.com",
    "aol.com",
    "fastmail.com",
    "free.fr",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "hey.com",
    "laposte.net",
    "libero.it",
    "mail.com",
    "mail.ru",
    "naver.com",
    "orange.fr",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rambler.ru",
    "seznam.cz",
    "t-online.de",
    "tuta.com",
    "tutanota.com",
    "wanadoo.fr",
    "web.de",
    "wp.pl",
    "yahoo.com",
    "yandex.com",
    "yandex.ru",
    "zoho.com",
  ].map((domain) => [domain, []] as const),
]);

/** Whether anybody can have an address at a domain, and this issuer is not the one that gives them out. */
export function isOthersMailDomain(domain: string, issuer: string): boolean {
  return issuersByDomain.get(domain)?.includes(issuer) === false;
}
