/** Cuts a text to a number of UTF-8 bytes, at a whole character, and marks the cut. */
export function cut(text: string, bytesMax: number): string {
  // A UTF-16 unit takes at most three bytes: most texts need no exact count.
  if (text.length * 3 <= bytesMax) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return text;
  const kept = Buffer.from(text)
    .subarray(0, bytesMax)
    .toString()
    .replace(/\uFFFD$/u, "");
  return `${kept}… [cut: ${bytes} bytes]`;
}
