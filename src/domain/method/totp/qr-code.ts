import { encode } from "uqr";

/** Empty squares around the code (ISO/IEC 18004, section 5.3.8). */
const margin = 4;

/** A QR code as an SVG image, black on white whatever the page's colours are. */
export function qrCode(text: string): string {
  const { data, size } = encode(text, { border: 0 });
  const rows = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
  const side = size + 2 * margin;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-margin} ${-margin} ${side} ${side}" shape-rendering="crispEdges"><path fill="#fff" d="M${-margin} ${-margin}h${side}v${side}h-${side}z"/><path d="${rows.join("")}"/></svg>`;
}
