// The document of the page: JSON, deflated, in base64 (docs/explore.md).

export async function unpackedDocument(text) {
  const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  const json = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(json).text());
}
