import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Tls } from "../../gen/ostiary/config/v1/config_pb.js";
import { describeAuthorities, reasonOf } from "./certificates.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { describeFileError, inspectFile } from "./files.ts";
import { checkIdentitySchemas } from "./identity-schemas.ts";
import type { Problem } from "./problems.ts";

/** Whether the files that the configuration names can be read and used: certificates, keys, identity schemas. */
export function checkFiles(config: CompleteConfig): { problems: Problem[]; warnings: Problem[] } {
  const { problems, warnings } = checkCertificates(config);
  const { email, templateDirectory } = config.tenantDefaults.courier;
  const caFile = email.provider.case === "smtp" ? email.provider.value.caFile : "";
  checkAuthorities(caFile, "tenant_defaults.courier.email.smtp.ca_file", problems);
  checkDirectory(templateDirectory, "tenant_defaults.courier.template_directory", problems);
  const schemas = checkIdentitySchemas(config);
  return { problems: [...problems, ...schemas.problems], warnings: [...warnings, ...schemas.warnings] };
}

/** The same of certificates and keys alone, which are read again without a restart. */
export function checkCertificates(config: CompleteConfig): { problems: Problem[]; warnings: Problem[] } {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const { public: publicListener, admin, forwardAuth } = config.server;
  checkTls(publicListener.tls, "server.public.tls", problems, warnings);
  checkTls(admin.tls, "server.admin.tls", problems, warnings);
  checkAuthorities(admin.clientCaFile, "server.admin.client_ca_file", problems);
  if (forwardAuth === undefined) return { problems, warnings };
  checkTls(forwardAuth.tls, "server.forward_auth.tls", problems, warnings);
  checkAuthorities(forwardAuth.clientCaFile, "server.forward_auth.client_ca_file", problems);
  return { problems, warnings };
}

function checkTls(tls: Tls | undefined, key: string, problems: Problem[], warnings: Problem[]): void {
  if (tls === undefined) return;
  const paths = { certificate_file: tls.certificateFile, key_file: tls.keyFile };
  let readable = true;
  for (const [name, path] of Object.entries(paths)) {
    const { message, openToOthers } = inspectFile(path);
    if (message !== undefined) {
      readable = false;
      problems.push({ key: `${key}.${name}`, message: `the file ${path} ${message}` });
    } else if (openToOthers && name === "key_file") {
      warnings.push({
        key: `${key}.${name}`,
        message: `other accounts may read the file ${path}: chmod 600 it`,
      });
    }
  }
  if (!readable) return;
  try {
    createSecureContext({ cert: readFileSync(tls.certificateFile), key: readFileSync(tls.keyFile) });
  } catch (error) {
    problems.push({ key, message: `the certificate and the key cannot be used: ${reasonOf(error)}` });
  }
}

function checkAuthorities(path: string, key: string, problems: Problem[]): void {
  const message = path === "" ? undefined : describeAuthorities(path);
  if (message !== undefined) problems.push({ key, message });
}

function checkDirectory(path: string, key: string, problems: Problem[]): void {
  if (path === "") return;
  try {
    if (!statSync(path).isDirectory()) problems.push({ key, message: `${path} is not a directory` });
  } catch (error) {
    problems.push({ key, message: `the directory ${path} ${describeFileError(error)}` });
  }
}
