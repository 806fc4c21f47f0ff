// What plugins ask of the Hugging Face hub: the files of a model or a data set, on this machine. Only
// the client of the plugin hub talks to the hub.

/** What is wanted of a repository. */
export interface HubRequest {
  readonly kind: 'model' | 'dataset';
  /** `organisation/name`. */
  readonly id: string;
  /** Branch, tag or commit; default: `main`. */
  readonly revision?: string | undefined;
  /**
   * Chooses from the names of all files (`data/train.parquet`). `get` downloads a file whose content
   * decides about others, and returns its path. Where the hub cannot be reached, `choose` is called
   * with the names in the cache.
   */
  readonly choose: (
    files: readonly string[],
    get: (file: string) => Promise<string>,
  ) => Promise<readonly string[]>;
  /** Why the name means no local file, for the error where the hub does not know it either. */
  readonly notLocal: string;
  readonly signal?: AbortSignal | undefined;
}

/** A commit's files on this machine. */
export interface HubSnapshot {
  /** Folder with the chosen files under their names; it may have others too. */
  readonly folder: string;
  readonly commit: string;
  /** The chosen files' names. */
  readonly files: readonly string[];
}

/** The client of the Hugging Face hub. */
export interface Hub {
  /**
   * The chosen files of a revision, downloaded where the cache lacks them. Without a network, what
   * the cache has. Throws LMFLOW_HUB_* and LMFLOW_CACHE_UNWRITABLE.
   */
  snapshot(request: HubRequest): Promise<HubSnapshot>;
}
