// Names of other tools that are refused, and values under them that are accepted all the same.

/**
 * Why a name that people know from other tools is refused here. With `accepts` these values are
 * accepted under it, without effect: they ask for what happens anyway (`bf16: false`).
 */
export type Refusal =
  | string
  | {
      readonly reason: string;
      readonly accepts: readonly unknown[];
      /** Sections (`qlora`) whose plugin, where it is loaded, makes something else happen. */
      readonly unless?: readonly string[];
    };
