// What a plugin says of how it trains a model. Who may say so is in method.ts.

/** What trains a model. */
export interface TrainingMethod {
  readonly plugin: string;
  /** For the plan: `LoRA (r 8, alpha 16, 84 linears)`. */
  readonly name: string;
  /** The plugin whose method this one narrows down, as LISA does full finetuning. */
  readonly refines?: string;
}
