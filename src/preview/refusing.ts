/**
 * Something of which the preview has no more than a few methods: each other one throws. What draws a page reads a flow, and writes, sends
 * or looks up nothing.
 */
export function refusing<Port extends object>(name: string, own: Partial<Port> = {}): Port {
  return new Proxy(own, {
    get: (target, key) =>
      Reflect.get(target, key) ??
      (() => {
        throw new Error(`the preview has no ${name}, so there is no ${String(key)}`);
      }),
  }) as Port;
}
