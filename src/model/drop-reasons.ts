/** Reasons, of those the kernel gives for a segment that it dropped, that say something by themselves. */

/** Its data had arrived already: what was sent again had not been lost. */
export const HAD_ALREADY = 'TCP_OLD_DATA';
