// What the two ops of flash attention have besides their inputs.

/** `tile`: tokens of a tile. `window`: how many keys a query sees at most, itself included. */
export type FlashAttributes = { readonly tile: number; readonly window: number };
