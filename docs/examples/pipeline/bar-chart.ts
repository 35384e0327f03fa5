const height = 20
const width = 400

/** A bar chart as SVG. */
export function barChart(pairs: readonly (readonly [string, number])[]): string {
  const highest = Math.max(1, ...pairs.map(([, value]) => value))
  const bars = pairs.map(([name, value], index) => {
    const y = index * height
    const text = `${name}: ${value}`.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
    return `<rect y="${y}" width="${(value / highest) * width}" height="${height - 2}" fill="#8ab4d8"/><text x="4" y="${y + 14}">${text}</text>`
  })
  return `<svg width="${width}" height="${pairs.length * height}" font-family="sans-serif" font-size="12">${bars.join('')}</svg>`
}
