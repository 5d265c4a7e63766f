// The simulated hosts by number: name, domain and address.
export const nameOf = (index: number): string => `kms${index}.bench.example`
export const domainOf = (index: number): string => `d${index}.example`
export const addressOf = (index: number): string => `127.1.${index >> 8}.${index & 0xff}`
