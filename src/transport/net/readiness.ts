/** What readiness depends on. */
export type ReadinessComponent = string;

/**
 * Whether the server can serve: all of its components say so, and it is not stopping. Read by `/health/ready` and
 * by grpc.health.v1; told by the watcher of each component (src/app.ts). Beside them it shows what the server can do without.
 */
export class Readiness {
  readonly #components = new Map<ReadinessComponent, boolean>();
  readonly #listeners = new Set<(ready: boolean) => void>();
  readonly #dispensable: () => Readonly<Record<string, boolean>>;
  #stopping = false;

  /**
   * Each named component counts as not ready until it is reported. `dispensable` is asked for what is shown beside them, such as
   * the providers that people sign in with.
   */
  constructor(
    components: readonly ReadinessComponent[],
    dispensable: () => Readonly<Record<string, boolean>> = () => ({}),
  ) {
    this.#dispensable = dispensable;
    for (const component of components) this.#components.set(component, false);
  }

  get ready(): boolean {
    if (this.#stopping) return false;
    for (const ready of this.#components.values()) if (!ready) return false;
    return true;
  }

  /** The components with their states, for `/health/ready`. */
  get components(): Readonly<Record<ReadinessComponent, boolean>> {
    return { ...this.#dispensable(), ...Object.fromEntries(this.#components) };
  }

  /** Says how a component is. Cheap to repeat. */
  report(component: ReadinessComponent, ready: boolean): void {
    this.#change(() => this.#components.set(component, ready));
  }

  /** From now on not ready, so that load balancers look elsewhere while calls under way end. */
  stop(): void {
    this.#change(() => {
      this.#stopping = true;
    });
  }

  /** Calls back at each change; the returned function ends that. */
  onChange(listener: (ready: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #change(change: () => void): void {
    const before = this.ready;
    change();
    const after = this.ready;
    if (before !== after) for (const listener of this.#listeners) listener(after);
  }
}
