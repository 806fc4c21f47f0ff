// What a plugin declares of the linears that it computes in another form. Checks are in claims.ts.

/** Linears that a plugin computes in another form. */
export interface LinearClaim {
  readonly plugin: string;
  /**
   * Everything that decides their numbers, for the model card and the resume check: `in 4 bits
   * (nf4, double quantization)`.
   */
  readonly how: string;
  /** Their names. */
  readonly linears: readonly string[];
  /** The plugin's option that leaves linears out, for messages: `qlora.exclude`. */
  readonly exclude: string;
  /**
   * false: programs traced from now on compute them as if there were no claim, for comparisons.
   */
  active: boolean;
}
