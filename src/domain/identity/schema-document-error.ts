/** A schema document that cannot be used, with a sentence for the operator who wrote it. */
export class SchemaDocumentError extends Error {
  override readonly name = "SchemaDocumentError";
}
