/** Dependencies without a CommonJS version. Jest cannot `require` them, so the CommonJS files contain them. */
export const onlyEsm: readonly string[] = ['cockatiel']
