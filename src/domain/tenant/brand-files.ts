/** A file of the operator's that is served as it is. */
export interface BrandFile {
  readonly content: Uint8Array;
  readonly contentType: string;
}

/** What the operator's files make of the pages. They may change while the server runs. */
export interface BrandFiles {
  readonly logo: BrandFile | undefined;
  readonly logoDark: BrandFile | undefined;
  readonly favicon: BrandFile | undefined;
  /** A style sheet that counts after that of the pages. */
  readonly style: BrandFile | undefined;
  /** Texts by language tag, in lower case: JSON, each text by the number of its message or the path of its word. */
  readonly texts: ReadonlyMap<string, BrandFile>;
}
