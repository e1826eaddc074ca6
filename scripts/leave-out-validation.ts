// SPDX-License-Identifier: Apache-2.0

/**
 * Takes the import of buf/validate/validate.proto out of the code of a generated file. Its descriptor alone is a third
 * of what a web page would load, and its package brings a CEL interpreter, while only servers validate. The rules
 * stay in our descriptors as options, so protovalidate can still read them there.
 */
export function leaveOutValidation(code: string): string {
  const text = code
    .replace(/^import \{ file_buf_validate_validate \}.*\n/m, "")
    .replace(/\bfile_buf_validate_validate(, )?/, "");
  if (text.includes("buf/validate/") || text.includes("file_buf_validate")) {
    throw new Error("a generated file still imports the validation rules");
  }
  return text;
}
