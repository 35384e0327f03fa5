/** Keys that become equal by a common change of text: each group holds different texts. */
export const confusableKeys: readonly string[] = [
  // Unicode normalization, in both directions, and its compatible forms.
  ...[
    'Å',
    'A\u030a',
    '\u212b',
    'Ω',
    '\u2126',
    'K',
    '\u212a',
    '가',
    '\u1100\u1161',
    'ñ',
    'n\u0303',
    'ẛ̣',
    '\u1e9b\u0323',
  ],
  ...['ﬀ', 'ff', '①', '1', '½', '1⁄2', '２', '2', 'Ａ', 'A', '™', 'TM', '㎏', 'kg', 'ſ', 's', 'x²', 'x2'],
  // The same in long keys, which some stores change in another way.
  ...[`${'x'.repeat(320)}ﬁ`, `${'x'.repeat(320)}fi`, `${'x'.repeat(320)}é`, `${'x'.repeat(320)}e\u0301`],
  // The two syllabaries of Japanese, which collations of databases compare as equal.
  ...['かな', 'カナ', 'ｶﾅ', 'がな', 'か\u3099な'],
  // Case, also outside of ASCII and in one language only.
  ...[
    'user',
    'USER',
    'User',
    'uSER',
    'ÄÖ',
    'äö',
    'Σ',
    'σ',
    'ς',
    'Я',
    'я',
    'ǆ',
    'ǅ',
    'Ǆ',
    'STRASSE',
    'straße',
    'İstanbul',
    'istanbul',
  ],
  // Spaces and characters that are not visible.
  ...[
    'a b',
    'a  b',
    'a\tb',
    'a\u00a0b',
    'a\u2003b',
    'a\u3000b',
    'a+b',
    'a%20b',
    'ab',
    'a\u200bb',
    'a\u00adb',
    'a\u200db',
    'a\u2060b',
  ],
  ...[
    'a\ufe0fb',
    '\u202eab',
    'ab\u200f',
    ' x',
    'x',
    'x ',
    '\tx',
    'x\t',
    '\nx',
    'x\n',
    'x\r',
    '\u00a0x',
    'x\u00a0',
    '\vx',
    '\u2028x',
    'x\u0085',
  ],
  ...[
    'l\nr',
    'l\r\nr',
    'l\rr',
    'l\\nr',
    'lr',
    'l r',
    'l\u0001r',
    'l\u007fr',
    'l\u0008r',
    'l\u001br',
    '\u0001',
    '\u007f',
    '\u0000\u0000',
  ],
  // Paths, URLs and queries.
  ...[
    'p/q',
    'p//q',
    'p/./q',
    'p/q/',
    '/p/q',
    'p/x/../q',
    'p\\q',
    'p\\\\q',
    './p/q',
    'P/q',
    'p:q',
    'p::q',
    'p.q',
    'p|q',
    'p,q',
    'p;q',
    'p-q',
    'p_q',
  ],
  ...[
    'h?a=1',
    'h',
    'h#a',
    'h?',
    'h#',
    'h?a=1&b=2',
    'h?b=2&a=1',
    'h%3Fa=1',
    'h%3fa=1',
    'h%3A',
    'h%3a',
    'h:',
    '%41',
    '%2541',
    '&amp;',
    '&',
    '&lt;',
    '<',
  ],
  // Escapes and quotes.
  ...[
    '\\u0000',
    '\\0',
    '\\',
    '\\\\',
    "''",
    "'",
    '""',
    '"',
    '`',
    '``',
    '$a',
    `$${'{a}'}`,
    '{{a}}',
    '{a}b',
    'a{b}',
    '(a)',
    '[a]',
    '<a>',
    'a=b',
    'a==b',
  ],
  // Numbers.
  ...[
    '007',
    '7',
    '7.0',
    '+7',
    ' 7',
    '7 ',
    '7e0',
    '0x7',
    '07',
    '-7',
    '1e3',
    '1000',
    '1,000',
    '0.1',
    '.1',
    '10',
    '1e1',
    'NaN',
    'nan',
    'Infinity',
  ],
  // Characters that one byte cannot hold, and text that was decoded by another rule.
  ...[
    'ša',
    'aa',
    'Ā',
    '\u0000\u0100',
    'Ã©',
    'â‚¬',
    '€',
    '\u00e9\u0301',
    '?',
    '??',
    '\ufffd\ufffd',
    '😀',
    '\ud83d',
    '\ude00',
    '😁',
    '\ud83d\ud83d',
  ],
  // Names that a store uses for itself.
  ...[
    'a.json',
    'a.tmp',
    'a~',
    'a.lock',
    '.a',
    '.tmp',
    'index',
    'meta',
    '_id',
    '$where',
    'keys',
    'value',
    'length',
    'size',
    'get',
    'set',
    'default',
    'NULL',
    'None',
  ],
]

/** Texts of each length that differ in one place only. */
export function longKeys(): readonly string[] {
  const keys: string[] = []
  for (const length of [60, 130, 258, 515, 1030, 2060, 4100, 8200, 16_400, 33_000, 66_000]) {
    const half = 'k'.repeat(length / 2)
    keys.push(
      `${half}${half}`,
      `1${half}${half}`,
      `2${half}${half}`,
      `${half}1${half}`,
      `${half}2${half}`,
      `${half}${half}1`,
      `${half}${half}2`,
    )
    keys.push(`${half}${half}12`, `${half}${half}21`)
  }
  for (const letter of ['é', '漢', '😀']) {
    for (const length of [30, 90, 130, 300])
      keys.push(`${letter.repeat(length)}1`, `${letter.repeat(length)}2`, letter.repeat(length))
  }
  return keys
}

/** Pairs of texts that are equal under a hash of 32 bits or under the start of a digest. */
const pairs: readonly (readonly [string, string])[] = [
  // A sum of characters, and Java's String.hashCode.
  ['listen', 'silent'],
  ['Aa', 'BB'],
  ['kz6n5g8', 'k17u9cb3'],
  // djb2 with addition and with XOR, sdbm.
  ['k1eaygiu', 'k1ec7gk3'],
  ['klsjqpg', 'klm63pg'],
  ['k1ccxy2a', 'kxka7s5'],
  // FNV-1a, FNV-1, CRC-32, MurmurHash3, one-at-a-time.
  ['k1k6eh7q', 'k12j9xe8'],
  ['kjpqd3a', 'k22chao'],
  ['knhym7h', 'k1b3cw2k'],
  ['kdyvn7m', 'k2ko4k4'],
  ['kc3js4c', 'kcfl2qh'],
  // The first 40 bits of MD5, SHA-1, SHA-256 and SHA-512.
  ['67ht', '6o0f'],
  ['z049', '18sx3'],
  ['akcg', 'mcdt'],
  ['au67', 'erlj'],
  // The same of long texts, by MD5, SHA-1 and SHA-256.
  [`${'k'.repeat(300)}1dt78`, `${'k'.repeat(300)}1gh7j`],
  [`${'k'.repeat(300)}6x97`, `${'k'.repeat(300)}9pb1`],
  [`${'k'.repeat(300)}kkin`, `${'k'.repeat(300)}vurq`],
]

/** Iterated hashes stay equal when the same text follows both. */
const followers = ['', ':profile', 'x'.repeat(300)]

/** Keys that a common hash confuses, short and long. */
export function keysOfEqualHash(): readonly string[] {
  return [...new Set(pairs.flatMap((pair) => followers.flatMap((end) => pair.map((start) => start + end))))]
}
