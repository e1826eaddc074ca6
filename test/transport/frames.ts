/** What every HTTP/2 connection begins with (RFC 9113, section 3.4). */
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Types of frames (RFC 9113, section 6). */
export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rst: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const;

export const endStream = 1;
export const endHeaders = 4;

/** A frame as it is sent. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const prefix = Buffer.alloc(9);
  prefix.writeUIntBE(payload.length, 0, 3);
  prefix[3] = type;
  prefix[4] = flags;
  prefix.writeUInt32BE(stream, 5);
  return Buffer.concat([prefix, payload]);
}

/** RST_STREAM. */
export function reset(stream: number, code = 8): Buffer {
  return frame(frameTypes.rst, 0, stream, uint32(code));
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** One setting, as the payload of SETTINGS. */
export function setting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, id]), uint32(value)]);
}

export type Fields = readonly (readonly [name: string, value: string])[];

/** A block of header fields, each written out (RFC 7541, section 6.2.2), without Huffman coding. */
export function headerBlock(fields: Fields): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

/** The fields of a POST, pseudo-headers first. */
export function postFields(path: string, contentType: string, more: Fields = []): Fields {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "127.0.0.1"],
    ["content-type", contentType],
    ...more,
  ];
}

/** The envelope of a message of gRPC, gRPC-Web and Connect streams. */
export function envelope(
  flags: number,
  content: string | Buffer,
  declared = Buffer.byteLength(content),
): Buffer {
  return Buffer.concat([Buffer.from([flags]), uint32(declared), Buffer.from(content as string)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** RFC 7541, section 5.1. */
function integer(value: number, bits: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
