// Numbers of the domain, each with its source.

export const KMS_PORT = 1688

/** A request whose time differs by more is answered 0xC004F06C (KB 974998: "more than 4 hours", in UTC). */
export const CLOCK_LIMIT_SECONDS = 4 * 3600

/**
 * Beyond this the exporter's own clock is called wrong. Our choice, not Microsoft's: Kerberos' default tolerance, the
 * tightest that a domain member has to keep anyway.
 */
export const EXPORTER_CLOCK_LIMIT_SECONDS = 300

/** TTLs outside are called out: 0 defeats every cache; a day is how often a host publishes itself again. */
export const SRV_TTL_SECONDS = { least: 1, most: 86_400 } as const
