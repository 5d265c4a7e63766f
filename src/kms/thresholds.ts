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

/** What the host's count has to reach before a client system is activated ("Activate clients using KMS"). */
export const CLIENT_THRESHOLD = 25

/** The same for servers and for Office, the least that anything takes. */
export const LEAST_THRESHOLD = 5

/** A host drops a client from its count that has not asked for so long ("Activate clients using KMS"). */
export const FORGOTTEN_AFTER_SECONDS = 30 * 86_400

/** How often an activated client asks again unless the host tells it otherwise (VLRenewalInterval, 10,080 minutes). */
export const RENEWAL_SECONDS = 7 * 86_400
