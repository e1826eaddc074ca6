import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./foreign.ts";

/** Where a certificate and its key are. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** A folder of authorities and certificates, made by openssl(1). */
export interface CertificateFolder {
  readonly path: string;
  authority(name: string): Promise<CertificateFiles>;
  /** A certificate of an authority; `days` below 0 is one that has ended, `extension` a line of openssl's own. */
  issue(options: {
    readonly name: string;
    readonly authority: CertificateFiles;
    readonly names: string;
    readonly days?: number;
    readonly extension?: string;
  }): Promise<CertificateFiles>;
  /** Puts one certificate in the place of another. */
  replace(old: CertificateFiles, by: CertificateFiles): Promise<void>;
  remove(): Promise<void>;
}

/** Makes a folder for certificates. */
export async function makeCertificateFolder(): Promise<CertificateFolder> {
  const path = await mkdtemp(join(tmpdir(), "ostiary-certificates-"));
  const filesOf = (name: string) => ({
    certificate: join(path, `${name}.crt`),
    key: join(path, `${name}.key`),
  });
  return {
    path,
    authority: async (name) => {
      const { certificate, key } = filesOf(name);
      await openssl(`req -x509 ${newKey} -keyout ${key} -out ${certificate} -days 2 -subj /CN=${name}`);
      return { certificate, key };
    },
    issue: async ({ name, authority, names, days = 2, extension = "" }) => {
      const { certificate, key } = filesOf(name);
      const [request, extensions] = [join(path, `${name}.csr`), join(path, `${name}.ext`)];
      await writeFile(extensions, `subjectAltName=${names}\n${extension}\n`);
      await openssl(`req ${newKey} -keyout ${key} -out ${request} -subj /CN=${name}`);
      await openssl(
        `x509 -req -in ${request} -CA ${authority.certificate} -CAkey ${authority.key} -CAcreateserial -out ${certificate} -days ${days} -extfile ${extensions}`,
      );
      return { certificate, key };
    },
    replace: async (old, by) => {
      await copyFile(by.certificate, old.certificate);
      await copyFile(by.key, old.key);
    },
    remove: () => rm(path, { recursive: true }),
  };
}

const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

async function openssl(words: string): Promise<void> {
  const { failed, stderr } = await runProgram("openssl", words.split(" "));
  if (failed) throw new Error(`openssl ${words}: ${stderr}`);
}
