import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import { foreignClientsRequired, isInstalled, outputOf, runProgram } from "../support/foreign.ts";

const chart = "deploy/helm/ostiary";
const schemas = resolve(".cache/kubernetes-schemas");
const withHelm = await isInstalled("helm", ["version", "--short"]);
const withKubeconform = await isInstalled("kubeconform", ["-v"]);
const withSchemas = existsSync(join(schemas, ".package"));
if (foreignClientsRequired && !withSchemas) throw new Error("run scripts/fetch-kubernetes-schemas.sh");

/** As much of a manifest as these tests read. */
// biome-ignore lint/suspicious/noExplicitAny: it is what YAML says.
type Manifest = any;

const everything = {
  tlsSecret: "public-tls",
  admin: { tlsSecret: "admin-tls", clientAuthorityKey: "ca.crt" },
  imagePullSecrets: [{ name: "registry" }],
  nodeSelector: { disk: "fast" },
  tolerations: [{ key: "auth", operator: "Exists" }],
  affinity: { podAntiAffinity: {} },
  priorityClassName: "important",
  podAnnotations: { a: "b" },
  podLabels: { c: "d" },
  service: { type: "LoadBalancer", annotations: { e: "f" } },
  env: [{ name: "OTEL_SERVICE_NAME", value: "auth" }],
};

describe.runIf(withHelm)("the chart (helm)", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "ostiary-chart-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function render(values: object, more: readonly string[] = []): Promise<string> {
    const file = join(folder, `${Math.random()}.yaml`);
    await writeFile(file, stringify(values));
    return outputOf("helm", ["template", "auth", chart, "--values", file, ...more]);
  }
  async function manifests(values: object): Promise<readonly Manifest[]> {
    return parseAllDocuments(await render(values)).map((document) => document.toJS());
  }
  async function one(kind: string, values: object = {}): Promise<Manifest> {
    const found = (await manifests(values)).find((manifest) => manifest.kind === kind);
    if (found === undefined) throw new Error(`there is no ${kind}`);
    return found;
  }

  test("passes helm lint, warnings included", async () => {
    expect(await outputOf("helm", ["lint", "--strict", chart])).toContain("0 chart(s) failed");
  });

  describe.runIf(withKubeconform && withSchemas)("is what Kubernetes takes (kubeconform)", () => {
    test.each([
      ["1.30.0", "by default", {}],
      ["1.30.0", "with everything set", everything],
      ["1.37.0", "by default", {}],
      ["1.37.0", "with everything set", everything],
    ])("%s, %s", async (version, _, values) => {
      const location = `${schemas}/{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json`;
      const args = ["-strict", "-summary", "-kubernetes-version", version, "-schema-location", location, "-"];
      const input = await render(values, ["--kube-version", version]);
      expect(await outputOf("kubeconform", args, { input })).toMatch(/Invalid: 0, Errors: 0, Skipped: 0/);
      const broken = input.replace("maxSurge:", "maxSurges:");
      expect((await runProgram("kubeconform", args, { input: broken })).failed).toBe(true);
    });
  });

  test("refuses values that it does not know", async () => {
    const { stderr, failed } = await runProgram("helm", ["template", "auth", chart, "--set", "replica=3"]);
    expect(failed).toBe(true);
    expect(stderr).toContain("replica");
  });

  test("replaces pods without a gap, and leaves each the time to stop", async () => {
    const { spec } = await one("Deployment", { drainSeconds: 7, shutdownTimeoutSeconds: 31 });
    expect(spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
    expect(spec.replicas).toBeGreaterThanOrEqual(2);
    const { spec: pod } = spec.template;
    const [container] = pod.containers;
    expect(container.lifecycle.preStop.sleep.seconds).toBe(7);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(7 + 31 + 20);
    const config = await configOf({ drainSeconds: 7, shutdownTimeoutSeconds: 31 });
    expect(config.server.shutdown_timeout).toBe("31s");
    // Longer than it takes until two probes have failed, so that nobody is sent to a pod that has stopped.
    const probe = container.readinessProbe;
    const defaults = (await one("Deployment")).spec.template.spec.containers[0].lifecycle.preStop.sleep
      .seconds;
    expect(defaults).toBeGreaterThan(probe.periodSeconds * probe.failureThreshold);
    expect([probe.httpGet.path, container.livenessProbe.httpGet.path]).toEqual([
      "/health/ready",
      "/health/alive",
    ]);
    expect((await one("PodDisruptionBudget")).spec.maxUnavailable).toBe(1);
  });

  test("runs without root, capabilities, a writable file system and the cluster's token", async () => {
    const { spec: pod } = (await one("Deployment")).spec.template;
    const [container] = pod.containers;
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    // Secrets are files, and never variables.
    expect(JSON.stringify(await manifests(everything))).not.toContain("secretKeyRef");
  });

  test("replaces pods whose configuration was edited", async () => {
    const sumOf = async (values: object) =>
      (await one("Deployment", values)).spec.template.metadata.annotations["checksum/config"];
    expect(await sumOf({})).toBe(await sumOf({ replicas: 5 }));
    expect(await sumOf({})).not.toBe(
      await sumOf({ config: { tenant_defaults: { public_url: "https://b.example" } } }),
    );
  });

  test.each([
    ["by default", {}],
    ["with everything set", everything],
    ["with several workers a pod", { config: { server: { workers: 2, trusted_proxies: ["10.0.0.0/8"] } } }],
  ])("writes a configuration that can be served %s", async (_, values) => {
    const text = stringify(await configOf(values));
    const secrets = join(folder, "secrets");
    await outputOf("mkdir", ["-p", secrets]);
    const files = {
      "database-url": "postgresql://o:p@localhost/o",
      "sealing-key": "s".repeat(32),
      "smtp-url": "smtps://u:p@mail.example.com",
    };
    for (const [name, secret] of Object.entries(files))
      await writeFile(join(secrets, name), secret, { mode: 0o600 });
    const certificate = [
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-subj",
      "/CN=a",
    ];
    const [key, chain] = [join(secrets, "tls.key"), join(secrets, "tls.crt")];
    await outputOf("openssl", ["req", ...certificate, "-keyout", key, "-out", chain]);
    await outputOf("cp", [chain, join(secrets, "ca.crt")]);
    const file = join(folder, "served.yaml");
    await writeFile(file, text.replaceAll(/\/run\/secrets\/(ostiary|tls|admin-tls)/g, secrets));
    expect(await outputOf("bin/ostiary", ["config", "check", "--config", file])).toContain("OK");
  });

  async function configOf(values: object): Promise<Manifest> {
    return parse((await one("ConfigMap", values)).data["ostiary.yaml"]);
  }
});
